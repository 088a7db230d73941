// Every failure of LakeForge by name: its HTTP status, whether trying again can help, what to say, what to do next.
// Codes are part of the API and stable. Messages and hints take parameters in braces; a caller gives values, never prose.

type Entry = { status: number; retry: boolean; message: string; hint: string }

/** Sorted by code. `retry`: the same request may succeed later without a change. */
export const ERRORS = {
  column_unknown: {
    status: 422,
    retry: false,
    message: 'There is no column "{column}" in {where}.',
    hint: 'Pick one of: {columns}.',
  },
  disk_full: {
    status: 507,
    retry: true,
    message: 'The disk that holds "{path}" is full.',
    hint: 'Free some space and retry; nothing half-written was committed.',
  },
  disk_unsupported: {
    status: 422,
    retry: false,
    message: 'The file system of "{path}" has no hard links, which commits need.',
    hint: 'Put LAKEFORGE_HOME on a local disk (ext4, xfs, btrfs, APFS, NTFS).',
  },
  internal: {
    status: 500,
    retry: true,
    message: 'Something went wrong inside LakeForge.',
    hint: 'Try again; if it happens again, report it with the request id.',
  },
  name_invalid: {
    status: 422,
    retry: false,
    message: '"{name}" is not a legal name.',
    hint: 'Use a-z, 0-9 and _, at most 100 characters; tables are schema.table.',
  },
  not_found: {
    status: 404,
    retry: false,
    message: 'There is no {kind} "{name}".',
    hint: 'Check the spelling; the list shows what there is.',
  },
  type_unknown: {
    status: 422,
    retry: false,
    message: '"{type}" is not a column type.',
    hint: 'Use a Spark type: string, bigint, decimal(10,2), timestamp, array<int>, struct<a:int>, …',
  },
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof ERRORS

/** One field's fault in a request or a metadata file. `path` is dotted: `options.path`; the value is never repeated. */
export type FieldError = {
  path: string
  message: string
  code?: ErrorCode
  file?: string
  line?: number
}

export type ErrorOptions = { hint?: string; cause?: unknown; errors?: FieldError[] }

/** The one error type. `detail` are the parameters of the catalogue's message; no secret may stand in it. */
export class LakeForgeError extends Error {
  override name = 'LakeForgeError'
  code: ErrorCode
  hint: string
  detail: Record<string, unknown>
  errors: FieldError[]

  constructor(code: ErrorCode, detail: Record<string, unknown> = {}, options: ErrorOptions = {}) {
    const entry: Entry = ERRORS[code]
    super(fill(entry.message, detail), { cause: options.cause })
    this.code = code
    this.hint = options.hint ?? fill(entry.hint, detail)
    this.detail = detail
    this.errors = options.errors ?? []
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retry(): boolean {
    return ERRORS[this.code].retry
  }
}

/** Throws the error `code` of the catalogue. */
export function fail(
  code: ErrorCode,
  detail: Record<string, unknown> = {},
  options: ErrorOptions = {},
): never {
  throw new LakeForgeError(code, detail, options)
}

/** Any thrown value as what a log row or a report holds: code, message, hint. Foreign errors become `internal`. */
export function describeError(error: unknown): { code: ErrorCode; message: string; hint: string } {
  if (error instanceof LakeForgeError)
    return { code: error.code, message: error.message, hint: error.hint }
  return { code: 'internal', message: ERRORS.internal.message, hint: ERRORS.internal.hint }
}

function fill(template: string, detail: Record<string, unknown>): string {
  return template.replace(/\{(\w+)\}/g, (_, key: string) => String(detail[key] ?? `{${key}}`))
}
