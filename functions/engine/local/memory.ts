// One memory setting for all DuckDB children: who starts takes a share, who comes while little is left waits.

export type MemoryPool = {
  /** Takes three quarters of what is free, or all of it; waits while that is below the least that is worth starting with. */
  take(all?: boolean): Promise<Share>
}
export type Share = { bytes: number; release(): void }

const LEAST_BYTES = 96 * 1024 * 1024

/** `total_bytes` is what all shares together may have. The first taker may always start, however small the pool. */
export function createMemoryPool(total_bytes: number): MemoryPool {
  let free = total_bytes
  let taken = 0
  const waiting: (() => void)[] = []
  return {
    async take(all = false) {
      while (taken > 0 && free * SHARE < LEAST_BYTES)
        await new Promise<void>((resolve) => waiting.push(resolve))
      const bytes = all ? free : Math.floor(free * SHARE)
      free -= bytes
      taken++
      let released = false
      return {
        bytes,
        release() {
          if (released) return
          released = true
          free += bytes
          taken--
          for (const wake of waiting.splice(0)) wake()
        },
      }
    },
  }
}

const SHARE = 0.75
