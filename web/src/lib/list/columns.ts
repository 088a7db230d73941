// The columns of a table and the filters above it.

/**
 * A column. `hide` takes it away on narrow screens, where `detail` of the table says it below the row.
 */
export type Column = {
  key: string
  title: string
  /** A class of the width: `w-24`. None: it takes the rest. */
  width?: string
  align?: 'right'
  /** Hidden below this width of the screen. */
  hide?: 'md' | 'lg' | 'xl'
  /** By what the API sorts it. */
  sort?: string
}

/** One choice of the filter bar. */
export type Filter = {
  /** As the API calls it. */
  key: string
  label: string
  any: string
  /** What a value is called: names for ids. */
  name?: (value: string) => string
  /** All values, where the API gives no facet. */
  options?: readonly { value: string; label: string }[]
}

/** Whole class names, so that the style sheet's compiler finds them. */
const HIDE = { md: 'max-md:hidden', lg: 'max-lg:hidden', xl: 'max-xl:hidden' }

export function columnClass(column: Column): string {
  return [column.hide && HIDE[column.hide], column.align === 'right' && 'text-right tabular-nums']
    .filter(Boolean)
    .join(' ')
}
