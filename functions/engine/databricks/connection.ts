// Which credentials belong to a host: from the official environment variables, or from a profile of ~/.databrickscfg whose text
// the Node host has read. A credential goes to the host that it was given for, and to no other.
import { fail } from '#core/errors.ts'
import type { Credentials } from './auth.ts'

export type Variables = Record<string, string | undefined>
export type Connection = { host: string; credentials: Credentials }

/** `https://host` without a path or a slash; a bare host name gets https. Plain http only for this machine. */
export function normalHost(host: string): string {
  const text = host.trim()
  let url: URL
  try {
    url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`)
  } catch {
    return fail('workspace_host_invalid', { host: text.slice(0, 200) })
  }
  const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback))
    fail('workspace_host_invalid', { host: text.slice(0, 200) })
  return url.origin
}

/** Profile name -> its keys, lower case; of an ini text. Lines that are none are left out. */
export function parseProfiles(text: string): Map<string, Variables> {
  const profiles = new Map<string, Variables>()
  let current: Variables | undefined
  for (const line of text.split(/\r?\n/)) {
    const part = line.trim()
    if (part === '' || part.startsWith('#') || part.startsWith(';')) continue
    const section = /^\[(.*)\]$/.exec(part)
    if (section) {
      current = profiles.get(section[1]!.trim()) ?? {}
      profiles.set(section[1]!.trim(), current)
      continue
    }
    const pair = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(part)
    if (pair && current) current[pair[1]!.toLowerCase()] = pair[2]!
  }
  return profiles
}

/**
 * The credentials for `host`. First the variables, where DATABRICKS_HOST names this host; then the profile that
 * DATABRICKS_CONFIG_PROFILE names; then the one profile of this host, DEFAULT first.
 * @throws workspace_credentials_missing
 */
export function connectionFor(host: string, env: Variables, profiles = ''): Connection {
  const wanted = normalHost(host)
  const method = env.DATABRICKS_AUTH_TYPE?.toLowerCase()
  if (env.DATABRICKS_HOST && same(env.DATABRICKS_HOST, wanted)) {
    const credentials = credentialsOf(
      {
        token: env.DATABRICKS_TOKEN,
        client_id: env.DATABRICKS_CLIENT_ID,
        client_secret: env.DATABRICKS_CLIENT_SECRET,
      },
      method,
    )
    if (credentials) return { host: wanted, credentials }
  }
  const known = parseProfiles(profiles)
  const named = env.DATABRICKS_CONFIG_PROFILE
  const order = named
    ? [named, ...[...known.keys()].filter((name) => name !== named)]
    : ['DEFAULT', ...[...known.keys()].filter((name) => name !== 'DEFAULT')]
  for (const name of order) {
    const profile = known.get(name)
    if (!profile?.host || !same(profile.host, wanted)) continue
    const credentials = credentialsOf(profile, profile.auth_type?.toLowerCase() ?? method)
    if (credentials) return { host: wanted, credentials }
  }
  return fail('workspace_credentials_missing', { host: wanted })
}

function same(host: string, wanted: string): boolean {
  try {
    return normalHost(host) === wanted
  } catch {
    return false
  }
}

function credentialsOf(from: Variables, method: string | undefined): Credentials | null {
  const pat = from.token ? ({ kind: 'pat', token: from.token } as const) : null
  const m2m =
    from.client_id && from.client_secret
      ? ({ kind: 'm2m', client_id: from.client_id, client_secret: from.client_secret } as const)
      : null
  if (method === 'pat') return pat
  if (method === 'oauth-m2m') return m2m
  return pat ?? m2m
}
