// The theme a person chose. /theme.js reads the same key before the first paint.
export const THEMES = ['light', 'dark', 'system'] as const
export type Theme = (typeof THEMES)[number]

const KEY = 'lakeforge.theme'
const system = matchMedia('(prefers-color-scheme: dark)')

class ThemeChoice {
  #choice = $state<Theme>(read())

  constructor() {
    system.addEventListener('change', () => apply(this.#choice))
  }

  get choice(): Theme {
    return this.#choice
  }

  set choice(value: Theme) {
    this.#choice = value
    try {
      localStorage.setItem(KEY, value)
    } catch {
      // Storage is forbidden: the choice holds until the page is left.
    }
    apply(value)
  }
}

export const theme = new ThemeChoice()

function read(): Theme {
  try {
    const stored = localStorage.getItem(KEY)
    return THEMES.find((name) => name === stored) ?? 'system'
  } catch {
    return 'system'
  }
}

function apply(choice: Theme): void {
  const dark = choice === 'dark' || (choice === 'system' && system.matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
}
