// Builds what git does not hold: the Rust core (binding.cjs, binding.d.cts, command-root.*.node) and dist/.
// Run by npm's `prepare`, so in a clone and never for those who install the package from the registry.
// Each half is built only when something that it is made from has changed; --force builds both.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const stamps = path.join(root, 'target', 'prepare')
const force = process.argv.includes('--force')

/** Ends the build with one sentence that says what is missing and how to get it. */
class Missing extends Error {}

const manifest = () => JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))

/** Files below `name`, or `name` itself, relative to the root and sorted; nothing where it does not exist. */
function filesOf(name) {
  const full = path.join(root, name)
  if (!existsSync(full)) return []
  const entries = readdirSync(path.dirname(full), { withFileTypes: true })
  if (!entries.find((entry) => entry.name === path.basename(full))?.isDirectory()) return [name]
  return readdirSync(full, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort()
}

function digest(files, ...words) {
  const hash = createHash('sha256')
  for (const word of words) hash.update(`${word}\0`)
  for (const file of files) {
    const content = readFileSync(path.join(root, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

// ---- what is needed to build ------------------------------------------------------------------

const firstLine = (command, args) => {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.split('\n', 1)[0].trim() : undefined
}

const numbers = (version) => version.split('.').map((part) => Number.parseInt(part, 10))

function isOlder(version, wanted) {
  const [have, want] = [numbers(version), numbers(wanted)]
  const at = want.findIndex((part, index) => part !== (have[index] ?? 0))
  return at !== -1 && (have[at] ?? 0) < want[at]
}

function requireRust(rustc) {
  const wanted =
    /^rust-version\s*=\s*"([^"]+)"/m.exec(readFileSync(path.join(root, 'Cargo.toml'), 'utf8'))?.[1] ?? '1.88'
  const cure = `Rust ${wanted} or newer is needed to build command-root from its source: get it from https://rustup.rs`
  if (!firstLine('cargo', ['--version'])) throw new Missing(`cargo is missing; ${cure}.`)
  const found = /^rustc (\d+[.\d]*)/.exec(rustc ?? '')?.[1]
  if (!found) throw new Missing(`rustc is missing; ${cure}.`)
  if (isOlder(found, wanted)) throw new Missing(`rustc ${found} is too old; ${cure}, or run \`rustup update\`.`)
}

function requireLinker() {
  const chosen = Object.keys(process.env).some((name) => /^CARGO_TARGET_.*_LINKER$/.test(name))
  if (chosen || spawnSync('cc', ['--version']).error === undefined) return
  throw new Missing(
    'a C linker (cc) is missing, which Rust needs to build command-root: install gcc or clang ' +
      '(Debian and Ubuntu: apt install gcc; Fedora: dnf install gcc; Alpine: apk add build-base; macOS: xcode-select --install).',
  )
}

/** A development dependency's program; `place`: below node_modules, where more than one is called so. */
function tool(name, place = path.join('.bin', name)) {
  const file = path.join(root, 'node_modules', place)
  if (existsSync(file)) return file
  throw new Missing(
    `${name} is missing, which builds command-root: run \`npm install\` with its development dependencies.`,
  )
}

// ---- the two halves ---------------------------------------------------------------------------

function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0)
    throw new Missing(`${path.basename(command)} ended with ${signal ?? status}; its messages are above.`)
}

const core = (rustc) => ({
  name: 'the Rust core',
  how: 'cargo, release',
  compiler: rustc,
  inputs: ['src', 'Cargo.toml', 'Cargo.lock', 'build.rs', '.cargo'].flatMap(filesOf),
  words: [
    JSON.stringify(manifest().napi),
    manifest().version,
    process.platform,
    process.arch,
    process.env.RUSTFLAGS ?? '',
  ],
  outputs: () => [
    ...['binding.cjs', 'binding.d.cts'].flatMap(filesOf),
    ...readdirSync(root).filter((file) => file.startsWith('command-root.') && file.endsWith('.node')),
  ],
  complete: (outputs) => outputs.length >= 3,
  build() {
    requireRust(rustc)
    requireLinker()
    const flags = ['--platform', '--release', '--js', 'binding.cjs', '--dts', 'binding.d.cts']
    run(tool('napi'), ['build', ...flags])
  },
})

const typescript = () => ({
  name: 'the TypeScript half',
  how: 'tsc',
  inputs: ['index.ts', 'lib', 'tsconfig.json', 'binding.d.cts', 'node_modules/typescript/package.json'].flatMap(
    filesOf,
  ),
  words: [manifest().version],
  outputs: () => filesOf('dist'),
  complete: (outputs) => outputs.includes(path.join('dist', 'index.js')),
  build() {
    rmSync(path.join(root, 'dist'), { recursive: true, force: true })
    run(tool('tsc', 'typescript/bin/tsc'), ['-p', 'tsconfig.json'])
    // What editors show comes from the declarations; the code is installed without its comments.
    run(tool('tsc', 'typescript/bin/tsc'), [
      '-p',
      'tsconfig.json',
      '--emitDeclarationOnly',
      '--removeComments',
      'false',
    ])
    const cli = path.join(root, 'dist', 'lib', 'cli.js')
    if (existsSync(cli)) chmodSync(cli, 0o755)
  },
})

/** Builds one half unless its stamp says that the same inputs made just what is there. Tells whether it built. */
function bring(half, stampName) {
  const stamp = path.join(stamps, stampName)
  const inputs = digest(half.inputs, ...half.words)
  const made = () => `${inputs} ${digest(half.outputs())}`
  if (!force && existsSync(stamp) && half.complete(half.outputs()) && readFileSync(stamp, 'utf8') === made())
    return false

  const started = Date.now()
  console.log(`command-root: building ${half.name} (${half.how}) …`)
  rmSync(stamp, { force: true })
  half.build()
  mkdirSync(stamps, { recursive: true })
  writeFileSync(stamp, made())
  console.log(`command-root: built ${half.name} in ${((Date.now() - started) / 1000).toFixed(1)} s`)
  return true
}

// An installed package holds what was built and not what it is built from.
if (existsSync(path.join(root, 'src')) && existsSync(path.join(root, 'index.ts'))) {
  try {
    const rustc = firstLine('rustc', ['--version'])
    const builtCore = bring(core(rustc), 'core.json')
    const builtTypescript = bring(typescript(), 'typescript.json')
    if (!builtCore && !builtTypescript) console.log('command-root: up to date')
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    console.error(`command-root: ${error.message}`)
    process.exitCode = 1
  }
}
