import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type Plugin } from 'vite'

const outDir = join(import.meta.dirname, '../../../build-web/dist')

/** Leaves a .br and a .gz beside each text, for the server to hand out. */
function precompress(): Plugin {
  return {
    name: 'docle:precompress',
    apply: 'build',
    closeBundle() {
      for (const entry of readdirSync(outDir, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(js|css|svg|json|webmanifest)$/.test(entry.name)) continue
        const path = join(entry.parentPath, entry.name)
        const bytes = readFileSync(path)
        if (bytes.length < 512) continue
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
        writeFileSync(
          `${path}.br`,
          brotliCompressSync(bytes, {
            params: {
              [constants.BROTLI_PARAM_QUALITY]: 11,
              [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
            },
          }),
        )
      }
    },
  }
}

export default defineConfig({
  plugins: [vue(), tailwindcss(), precompress()],
  resolve: { alias: { '@': join(import.meta.dirname, 'src') } },
  // The server puts a fresh nonce in its place with each answer; see src/api/route_ui.c.
  html: { cspNonce: '__CSP_NONCE__' },
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
  build: { outDir, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, sourcemap: false },
  server: {
    // `npm run dev` beside a running `docle serve`.
    proxy: Object.fromEntries(
      ['/api', '/auth', '/openapi.json', '/healthz', '/readyz'].map((path) => [
        path,
        process.env.DOCLE_ENDPOINT ?? 'http://127.0.0.1:8787',
      ]),
    ),
  },
})
