import { defineConfig } from 'rolldown';

// Two entries, shared chunks: the CLI (each verb a lazy chunk) and the worker, which never loads yargs.
export default defineConfig({
  input: { orch: 'bin/orch.ts', worker: 'lib/worker/main.ts' },
  platform: 'node',
  logLevel: 'warn',
  // jsonc-parser's main is UMD, which no bundler can follow; its module is ESM.
  resolve: { mainFields: ['module', 'main'] },
  output: {
    dir: 'dist',
    format: 'esm',
    cleanDir: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
  },
});
