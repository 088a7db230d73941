import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

const root = `${import.meta.dirname}/..`

export default defineConfig({
  test: {
    root,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'functions',
          root,
          include: ['functions/**/*.test.ts', 'sql/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Svelte's compiler without Kit: what is tested here needs a document, but no router.
        plugins: [svelte({ configFile: false })],
        resolve: { conditions: ['browser'] },
        test: {
          name: 'web',
          root: `${root}/web`,
          include: ['src/**/*.test.ts'],
          environment: 'jsdom',
          // One document for all files: making one takes longer than the tests.
          isolate: false,
        },
      },
    ],
  },
})
