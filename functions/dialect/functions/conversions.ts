// Casts that are written as functions.
import type { FunctionEntry } from '../catalogue.ts'
import { cast } from '../cast.ts'
import { BIGINT, BOOLEAN, DATE, DOUBLE, INT, STRING, textOf, TIMESTAMP, type T } from '../types.ts'

/** `date(x)`, `int(x)` …: a cast written as a function. */
function conversions(): FunctionEntry[] {
  const types: [string, T][] = [
    ['boolean', BOOLEAN],
    ['tinyint', { kind: 'tinyint' }],
    ['smallint', { kind: 'smallint' }],
    ['int', INT],
    ['bigint', BIGINT],
    ['float', { kind: 'float' }],
    ['double', DOUBLE],
    ['decimal', { kind: 'decimal', precision: 10, scale: 0 }],
    ['string', STRING],
    ['binary', { kind: 'binary' }],
    ['date', DATE],
    ['timestamp', TIMESTAMP],
  ]
  return types.map(([name, type]) => ({
    name,
    category: 'conversion' as const,
    signature: `${name}(x)`,
    description: `The value as ${textOf(type)}; same as CAST.`,
    returns: textOf(type),
    args: [1, 1],
    compile: (context) => cast(context.source, context.arg(0), type, false, context.at),
  }))
}

export const CONVERSIONS: FunctionEntry[] = conversions()
