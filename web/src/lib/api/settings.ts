// Tokens, references to secrets, and what the installation says of itself. All @throws ApiError.
import type { JSONParsed } from 'hono/utils/types'
import type { Token as CoreToken, TokenCreate } from '#core/token.ts'
import type { SecretReference } from '#functions/secrets.ts'
import type { Finding } from '#functions/status.ts'
import type { Page } from '#lib/api/client.ts'
import { read, resource } from '#lib/api/resource.ts'

export type { Finding, SecretReference, TokenCreate }
export type Token = JSONParsed<CoreToken>
/** As answered once, when it is made. */
export type NewToken = Token & { token: string }

export const tokens = resource<Token | NewToken, TokenCreate>('tokens')

export const settings = {
  secrets: (signal?: AbortSignal) => read<Page<SecretReference>>('/api/secrets', signal),
  doctor: (signal?: AbortSignal) =>
    read<{ ok: boolean; findings: Finding[] }>('/api/doctor', signal),
}
