// The runtimes in which the package is to work, and the npm packages that bring them.

import process from 'node:process'

const { platform, arch } = process
const bunArch = arch === 'arm64' ? 'aarch64' : arch
const libc = platform === 'linux' ? '-glibc' : ''

/** Of Node 20 and 22 the oldest that package.json's `engines` lets in. */
export const RUNTIMES = [
  { name: 'node20', wanted: `node-${platform}-${arch}@20.19.0`, program: 'bin/node' },
  { name: 'node22', wanted: `node-${platform}-${arch}@22.12.0`, program: 'bin/node' },
  { name: 'node24', wanted: `node-${platform}-${arch}@24.21.0`, program: 'bin/node' },
  { name: 'node26', wanted: `node-${platform}-${arch}@26.10.0`, program: 'bin/node' },
  { name: 'bun', wanted: `@oven/bun-${platform}-${bunArch}@1.4.5`, program: 'bin/bun' },
  { name: 'deno', wanted: `@deno/${platform}-${arch}${libc}@2.9.6`, program: 'deno', args: ['run', '--allow-all'] },
]
