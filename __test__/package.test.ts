// What package.json promises.

import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { repository } from './support/programs.ts'
import { scratch } from './support/system.ts'

interface Manifest {
  name: string
  version: string
  type: string
  types: string
  main?: string
  exports: Record<string, string | { types: string; default: string }>
  bin: Record<string, string>
  files: string[]
  scripts: Record<string, string>
  dependencies?: object
  optionalDependencies?: object
  devDependencies: Record<string, string>
}
const manifest = JSON.parse(fs.readFileSync(path.join(repository, 'package.json'), 'utf8')) as Manifest
const at = (file: string) => path.join(repository, file)

/** Evaluates a module or script in a Node of its own. */
function node(code: string, type: 'module' | 'commonjs' = 'module', args: string[] = []) {
  return spawnSync(process.execPath, [...args, `--input-type=${type}`, '-e', code], {
    encoding: 'utf8',
    cwd: repository,
  })
}

test('the entry, its types and the command are where package.json says', (t) => {
  const entry = manifest.exports['.'] as { types: string; default: string }
  for (const file of [entry.types, entry.default, manifest.types, ...Object.values(manifest.bin)])
    t.true(fs.existsSync(at(file)), file)
  const cli = at(manifest.bin['command-root'] ?? '')
  t.regex(fs.readFileSync(cli, 'utf8'), /^#!\/usr\/bin\/env node\n/)
  t.is(fs.statSync(cli).mode & 0o111, 0o111)
})

const names = [
  'AT_EMPTY_PATH',
  'AT_FDCWD',
  'AT_SYMLINK_NOFOLLOW',
  'Command',
  'CommandRootError',
  'Executable',
  'ExitError',
  'Process',
  'Root',
  'commandFd',
  'commandRoot',
  'forkExec',
  'openRoot',
  'probe',
]

test('it can be imported and required, is the same both ways, and says nothing', (t) => {
  const imported = node(
    "import * as all from 'command-root'; console.log(Object.keys(all).filter((k) => !/default|module/.test(k)).sort().join())",
  )
  t.deepEqual(
    [
      imported.stdout
        .trim()
        .split(',')
        .filter((name) => names.includes(name)),
      imported.stderr,
    ],
    [names, ''],
  )
  const required = node(
    "const all = require('command-root'); import('command-root').then((it) => console.log(it.openRoot === all.openRoot, typeof all.openRoot))",
    'commonjs',
    ['--no-warnings=ExperimentalWarning'],
  )
  t.is(required.stdout.trim(), 'true function', required.stderr)
})

test('only the entry and package.json are to be had', (t) => {
  t.is(
    node(
      "import { createRequire } from 'node:module'; console.log(createRequire(import.meta.url)('command-root/package.json').name)",
    ).stdout,
    'command-root\n',
  )
  t.regex(node("import 'command-root/dist/lib/root.js'").stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/)
})

test('nothing is installed or run for those who install it', (t) => {
  t.is(manifest.dependencies, undefined)
  t.is(manifest.optionalDependencies, undefined)
  for (const script of ['preinstall', 'install', 'postinstall']) t.is(manifest.scripts[script], undefined)
})

test('development tools are pinned, and the lock names no host', (t) => {
  for (const [name, version] of Object.entries(manifest.devDependencies))
    t.regex(version, /^(npm:[a-z]+@)?\d+\.\d+\.\d+$/, name)
  const lock = fs.readFileSync(at('package-lock.json'), 'utf8')
  t.false(lock.includes('"resolved"'))
  const { version } = JSON.parse(lock) as { version: string }
  t.is(version, manifest.version)
  t.regex(fs.readFileSync(at('Cargo.toml'), 'utf8'), new RegExp(`^version = "${manifest.version}"$`, 'm'))
})

test('what is packed is what is needed, and no source or test', (t) => {
  const packed = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: repository, encoding: 'utf8' }),
  ) as { files: { path: string }[] }[] | Record<string, { files: { path: string }[] }>
  const files = (Object.values(packed)[0]?.files ?? []).map(({ path: file }) => file)
  for (const file of [
    'package.json',
    'README.md',
    'LICENSE',
    'binding.cjs',
    'binding.d.cts',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/lib/cli.js',
  ]) {
    t.true(files.includes(file), file)
  }
  for (const file of files)
    t.regex(file, /^(dist\/.*\.(js|d\.ts)|binding\.cjs|binding\.d\.cts|package\.json|README\.md|LICENSE)$/)
})

const inGit = fs.existsSync(at('.git')) ? test : test.skip
inGit('what is generated is not tracked', (t) => {
  const tracked = execFileSync('git', ['ls-files'], { cwd: repository, encoding: 'utf8' }).split('\n')
  for (const file of tracked) t.notRegex(file, /^(dist\/|target\/|node_modules\/|binding\.(cjs|d\.cts)$)|\.node$/)
  for (const file of [
    'dist/index.js',
    'binding.cjs',
    'binding.d.cts',
    'command-root.linux-x64-gnu.node',
    'target/x',
    'node_modules/x',
  ]) {
    t.is(spawnSync('git', ['check-ignore', '-q', file], { cwd: repository }).status, 0, file)
  }
})

/** Code and message of the error with which an import of a copy of the package ends. */
function importOfCopy(t: ExecutionContext, change: (copy: string) => void = () => undefined): [string, string] {
  const directory = scratch(t)
  const copy = path.join(directory, 'node_modules', 'command-root')
  fs.mkdirSync(copy, { recursive: true })
  for (const file of ['package.json', 'binding.cjs', 'binding.d.cts', 'dist'])
    fs.cpSync(at(file), path.join(copy, file), { recursive: true })
  change(copy)
  const entry = pathToFileURL(path.join(copy, 'dist', 'index.js')).href
  const code = `import('${entry}').catch((error) => console.log(JSON.stringify([error.code, error.message])))`
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', cwd: directory })
  return JSON.parse(ended.stdout) as [string, string]
}

test('without its addon the import is one sentence with the package to install', (t) => {
  const [code, message] = importOfCopy(t)
  t.is(code, 'MODULE_NOT_FOUND')
  t.regex(message, new RegExp(`command-root-${process.platform}-${process.arch}`))
  t.false(message.includes('\n'))
})

test('in a bundle that has left its files behind the import says what to do', (t) => {
  const [code, message] = importOfCopy(t, (copy) => {
    const { imports: _, ...others } = manifest as Manifest & { imports: object }
    fs.writeFileSync(path.join(copy, 'package.json'), JSON.stringify(others))
  })
  t.is(code, 'MODULE_NOT_FOUND')
  t.regex(message, /^command-root has been put into a bundle[^\n]* external$/)
})

test('on a system without an addon the import is one sentence', (t) => {
  const systems = [
    ['win32', 'x64'],
    ['linux', 'riscv64'],
    ['freebsd', 'arm64'],
  ]
  for (const [platform, arch] of systems) {
    const { stdout } = node(`
      Object.defineProperties(process, { platform: { value: '${platform}' }, arch: { value: '${arch}' } })
      import('command-root').catch((error) => console.log(JSON.stringify([error.code, error.message])))`)
    t.deepEqual(JSON.parse(stdout), [
      'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
      `command-root does not run on ${platform}-${arch}`,
    ])
  }
})

test('a second build builds nothing', (t) => {
  const ended = spawnSync(process.execPath, ['scripts/prepare.mjs'], { cwd: repository, encoding: 'utf8' })
  t.deepEqual([ended.stdout, ended.status], ['command-root: up to date\n', 0])
})

test('without cargo the build ends with one sentence that says how to get it', (t) => {
  const directory = scratch(t)
  for (const file of ['package.json', 'tsconfig.json', 'Cargo.toml', 'index.ts', 'scripts', 'src', 'lib']) {
    fs.cpSync(at(file), path.join(directory, file), { recursive: true })
  }
  const bare = path.join(directory, 'bin')
  fs.mkdirSync(bare)
  const build = (env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, ['scripts/prepare.mjs'], { cwd: directory, encoding: 'utf8', env })
  const without = build({ PATH: bare })
  t.is(without.status, 1)
  t.regex(without.stderr, /^command-root: cargo is missing; [^\n]*https:\/\/rustup\.rs\.\n$/)

  for (const [tool, answer] of [
    ['cargo', 'cargo 1.70.0'],
    ['rustc', 'rustc 1.70.0 (90c541806 2023-05-31)'],
  ] as const) {
    fs.writeFileSync(path.join(bare, tool), `#!/bin/sh\necho "${answer}"\n`, { mode: 0o755 })
  }
  const old = build({ PATH: bare })
  t.is(old.status, 1)
  t.regex(old.stderr, /^command-root: rustc 1\.70\.0 is too old; [^\n]*rustup\.rs[^\n]*\n$/)

  fs.writeFileSync(path.join(bare, 'rustc'), '#!/bin/sh\necho "rustc 99.0.0 (x)"\n')
  const unlinked = build({ PATH: bare })
  t.is(unlinked.status, 1)
  t.regex(unlinked.stderr, /^command-root: a C linker \(cc\) is missing[^\n]*\n$/)
})
