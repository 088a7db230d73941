// How well a label answers what was typed: all words must stand in it, at the start of a word counts more.

/** Higher is better; 0: no match. An empty text matches everything equally. */
export function score(label: string, text: string): number {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return 1
  const of = label.toLowerCase()
  let sum = 0
  for (const word of words) {
    const at = of.indexOf(word)
    if (at < 0) return 0
    sum += at === 0 ? 4 : /[\s._/-]/.test(of[at - 1]!) ? 3 : 1
  }
  return sum + words.join(' ').length / (of.length + 1)
}

/** The best first, as they came where equal. */
export function ranked<Item extends { label: string }>(
  items: readonly Item[],
  text: string,
): Item[] {
  return items
    .map((item) => ({ item, value: score(item.label, text) }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value)
    .map(({ item }) => item)
}
