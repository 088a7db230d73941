export function load({ url }: { url: URL }) {
  return { copy: url.searchParams.get('copy') || undefined }
}
