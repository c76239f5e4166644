import { defineConfig } from 'rolldown';

// Three entries, shared chunks: the CLI (each verb a lazy chunk), the worker, which never loads yargs, and the process
// in which a coding tool is probed.
export default defineConfig({
  input: { orch: 'bin/orch.ts', worker: 'lib/worker/main.ts', 'agent-probe': 'lib/proof/agents/child.ts' },
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
