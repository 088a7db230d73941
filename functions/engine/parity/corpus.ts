// The corpus: metadata that every engine must turn into the same tables. A table is a case; what it is about stands in `case`.
// Scenarios share deliveries, so that many cases cost one read of them.
import { json } from './corpus/json.ts'
import { keys } from './corpus/keys.ts'
import { orders } from './corpus/orders.ts'
import { real } from './corpus/real.ts'
import { rules } from './corpus/rules.ts'
import { schemas } from './corpus/schemas.ts'
import { texts } from './corpus/texts.ts'
import type { Scenario } from './scenario.ts'

export const CORPUS: readonly Scenario[] = [orders, schemas, json, texts, rules, keys, real]
