/** What the package says about itself: its version, and where it lies. */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

// By the package's own name: this file is one directory deeper in dist/ than in a clone.
const require = createRequire(import.meta.url)
const manifest = 'command-root/package.json'

/** The version in package.json. */
export function version(): string {
  return (require(manifest) as { version: string }).version
}

/** The directory that holds package.json. */
export function packageDirectory(): string {
  return dirname(require.resolve(manifest))
}
