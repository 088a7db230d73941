// Ids: uuid version 7, made by us, so that they are the same on every database and sort by the time they were made.

/**
 * A new id. Ids of one process increase strictly, also within a millisecond; `now` is milliseconds since 1970.
 * https://www.rfc-editor.org/rfc/rfc9562#section-5.7
 */
export function uuidv7(now: number = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  // the 12 bits after the time count within a millisecond; a clock that goes back doesn't take the order with it
  if (now > last) {
    last = now
    count = ((bytes[6]! & 0x07) << 8) | bytes[7]!
  } else if (++count > 0xfff) {
    last++
    count = 0
  }
  return format(bytes, last, count)
}

/** The smallest id of a moment: `id >= firstIdAt(from)` finds what was made from then on. */
export function firstIdAt(time: Date): string {
  return format(new Uint8Array(16), time.getTime(), 0)
}

let last = 0
let count = 0

function format(bytes: Uint8Array, time: number, counter: number): string {
  for (let index = 5, rest = time; index >= 0; index--, rest = Math.floor(rest / 256)) {
    bytes[index] = rest % 256
  }
  bytes[6] = 0x70 | (counter >> 8)
  bytes[7] = counter & 0xff
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
