const AMOUNT = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })

/** An amount without a currency: costs are in whatever the profiles' hourly costs are in. Unknown is a dash. */
export function money(value: number | null): string {
  return value === null ? '–' : AMOUNT.format(value)
}
