export function load({ url }: { url: URL }) {
  return {
    table: url.searchParams.get('table') ?? undefined,
    column: url.searchParams.get('column') ?? undefined,
  }
}
