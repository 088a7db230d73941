// How every control of a form looks: one border, one height. The fault's colour follows from aria-invalid.
export const CONTROL =
  'rounded-control border-line-strong bg-surface text-table h-8 w-full min-w-0 border px-2 aria-invalid:border-fail'
export const AREA =
  'rounded-control border-line-strong bg-surface text-table w-full min-w-0 border px-2 py-1.5 aria-invalid:border-fail'
