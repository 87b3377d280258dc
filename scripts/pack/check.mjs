// Makes the tarballs as a release does, puts them into a registry of its own, and looks at what users get:
//
//   npm run pack:check                          with the addon of this machine, linked as a release links it
//   npm run pack:check -- --artifacts=DIR       with all of them
//
// Without a network, or the tools to link with, what needs them is skipped with its reason.

import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'node:test'
import { buildAddon } from '../cross/build.mjs'
import { addonOf, GLIBC, host, Missing, napi, platformOf } from '../cross/cargo.mjs'
import { RUNTIMES } from '../runtimes/list.mjs'
import { makeTarballs } from './make.mjs'
import { glibcOf, isNewer } from './measure.mjs'
import { Project, place, run } from './project.mjs'
import { filesOf, recipesOf } from './recipes.mjs'
import { startRegistry } from './registry.mjs'
import { installed, programOf, reasonOf, repository } from './tools.mjs'

const at = (...names) => path.join(repository, ...names)
const manifest = JSON.parse(readFileSync(at('package.json'), 'utf8'))
const here = host()
const nativeName = `${manifest.name}-${platformOf(here)}`
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`

// ---- what is needed ------------------------------------------------------------------------------------

/** What `make` gives, or why it cannot be had. */
function had(make) {
  try {
    return { value: make() }
  } catch (error) {
    return { lacking: error instanceof Missing ? error.message : reasonOf(error) }
  }
}

const given = process.argv.find((argument) => argument.startsWith('--artifacts='))?.slice('--artifacts='.length)
const linked = given ? { value: path.resolve(given, addonOf(here)) } : had(() => buildAddon(here))
const tools = had(() => installed('pack', at('scripts', 'pack', 'tools')))

/** A directory with an addon for each target; where it was not built, a file that says so stands for it. */
function gatherAddons() {
  const addons = place('addons')
  for (const target of napi.targets) {
    const name = addonOf(target)
    const built = given ? path.resolve(given, name) : target === here ? (linked.value ?? at(name)) : undefined
    if (built) copyFileSync(built, path.join(addons, name))
    else writeFileSync(path.join(addons, name), `${name} was not built on this machine\n`)
  }
  return addons
}

const addons = gatherAddons()
const built = napi.targets.filter((target) => given || target === here)
const tarballs = makeTarballs(addons, at('target', 'tarballs'))

// ---- what is published ---------------------------------------------------------------------------------

/** What a package's package.json says of the systems it is for. */
const SYSTEMS = {
  'x86_64-unknown-linux-gnu': { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  'x86_64-unknown-linux-musl': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  'aarch64-unknown-linux-gnu': { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
  'aarch64-unknown-linux-musl': { os: ['linux'], cpu: ['arm64'], libc: ['musl'] },
  'x86_64-unknown-freebsd': { os: ['freebsd'], cpu: ['x64'], libc: undefined },
  'x86_64-apple-darwin': { os: ['darwin'], cpu: ['x64'], libc: undefined },
  'aarch64-apple-darwin': { os: ['darwin'], cpu: ['arm64'], libc: undefined },
}

const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

/** What lies in target/pack, where the tarballs were made from. */
const staged = (...names) => JSON.parse(readFileSync(at('target', 'pack', ...names, 'package.json'), 'utf8'))

test('one package per platform: same version, its system, no script', () => {
  assert.deepEqual(Object.keys(SYSTEMS).sort(), [...napi.targets].sort())
  for (const [target, system] of Object.entries(SYSTEMS)) {
    const {
      name,
      version,
      os,
      cpu,
      libc,
      files,
      main,
      license,
      scripts = {},
      ...rest
    } = staged('npm', platformOf(target))
    assert.deepEqual(
      { name, version, license },
      { name: `${manifest.name}-${platformOf(target)}`, version: manifest.version, license: manifest.license },
    )
    assert.deepEqual({ os, cpu, libc }, system, name)
    assert.deepEqual(
      [files, main, scripts, rest.dependencies],
      [[addonOf(target)], addonOf(target), {}, undefined],
      name,
    )
  }
})

test('the package asks for just these, of its own version, and runs nothing when installed', () => {
  const { optionalDependencies, dependencies, scripts } = staged()
  const wanted = napi.targets.map((target) => [`${manifest.name}-${platformOf(target)}`, manifest.version])
  assert.deepEqual(optionalDependencies, Object.fromEntries(wanted))
  assert.equal(dependencies, undefined)
  for (const name of INSTALL_SCRIPTS) assert.equal(scripts[name], undefined)
  assert.equal(manifest.optionalDependencies, undefined)
})

test('sizes: an addon under 1 MB, the package itself under 200 kB', (t) => {
  for (const target of built) {
    const { size } = statSync(path.join(addons, addonOf(target)))
    t.diagnostic(`${addonOf(target)}: ${kilobytes(size)}`)
    assert.ok(size < 1_000_000, addonOf(target))
  }
  const { size, unpackedSize } = tarballs.find(({ name }) => name === manifest.name)
  t.diagnostic(`${manifest.name}: ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked`)
  assert.ok(unpackedSize < 200_000, 'unpacked')
})

for (const target of built.filter((name) => name.endsWith('-linux-gnu'))) {
  test(`${addonOf(target)} needs no glibc newer than ${GLIBC}`, (t) => {
    const addon = linked.value ?? at(addonOf(target))
    const { value: needed, lacking } = had(() => glibcOf(path.join(addons, addonOf(target))))
    if (lacking) return t.skip(lacking)
    t.diagnostic(`it needs GLIBC_${needed}`)
    if (linked.lacking) return t.skip(`${path.basename(addon)} is linked for this machine alone: ${linked.lacking}`)
    assert.ok(!isNewer(needed, GLIBC), `GLIBC_${needed}`)
  })
}

// ---- what users get ------------------------------------------------------------------------------------

/** A test of what was installed from the registry. */
const withTools = (name, act) => test(name, tools.lacking ? { skip: tools.lacking } : {}, act)
const tool = (...names) => path.join(tools.value, 'node_modules', ...names)

let registry
/** A project in which the package has been installed. */
async function user(name, ...args) {
  const project = new Project(name, registry)
  await project.npm('install', manifest.name, ...args)
  return project
}

withTools('they are published to a registry', async () => {
  registry = await startRegistry(tools.value, place('registry'))
  const publisher = new Project('publisher', registry)
  for (const { file } of tarballs) await publisher.npm('publish', file, '--ignore-scripts')
})

withTools('npm installs the one package of each system, and no other', async () => {
  for (const [target, { os, cpu, libc }] of Object.entries(SYSTEMS)) {
    const system = [`--os=${os}`, `--cpu=${cpu}`, ...(libc ? [`--libc=${libc}`] : [])]
    const project = await user(`on-${platformOf(target)}`, ...system)
    assert.deepEqual(project.installed(), [manifest.name, `${manifest.name}-${platformOf(target)}`].sort())
  }
})

const RUN = `
  const root = openRoot('/usr/bin')
  const { stdout } = await commandRoot(root, 'env', [], { env: { A: 'b' }, encoding: 'utf8' }).output()
  console.log(JSON.stringify(stdout))`

withTools('it is imported and runs a program, with no compiler to be had', async () => {
  const project = await user('empty')
  assert.deepEqual(project.installed(), [manifest.name, nativeName])
  for (const compiler of ['cc', 'cargo'])
    assert.equal((await run('sh', ['-c', `command -v ${compiler}`], {})).stdout, '')
  project.write('run.mjs', `import { commandRoot, openRoot } from '${manifest.name}'${RUN}`)
  assert.deepEqual(await project.node('run.mjs'), { code: 0, stdout: '"A=b\\n"\n', stderr: '' })
})

withTools('it is required', async () => {
  const project = await user('required')
  project.write('run.cjs', `const { commandRoot, openRoot } = require('${manifest.name}');\n(async () => {${RUN}\n})()`)
  const ended = await project.node('--disable-warning=ExperimentalWarning', 'run.cjs')
  assert.deepEqual(ended, { code: 0, stdout: '"A=b\\n"\n', stderr: '' })
})

withTools('its command runs', async () => {
  const project = await user('command')
  const ended = await project.node(project.file(`node_modules/.bin/${manifest.name}`), '/usr', 'bin/printf', 'hello')
  assert.deepEqual(ended, { code: 0, stdout: 'hello', stderr: '' })
})

// ---- what the compiler and others say ------------------------------------------------------------------

/** As strict as users may be; what the package's own typings say is checked too. */
const STRICT = {
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  skipLibCheck: false,
}
const MODULES = { nodenext: { module: 'nodenext' }, bundler: { module: 'preserve', moduleResolution: 'bundler' } }

for (const typescript of [5, 7]) {
  for (const node of [20, 26]) {
    withTools(`jobs.ts compiles with TypeScript ${typescript} and @types/node ${node}`, async (t) => {
      const project = await user(`types-${typescript}-${node}`)
      mkdirSync(project.file('node_modules/@types'))
      symlinkSync(tool(`types-node-${node}`), project.file('node_modules/@types/node'))
      project.write('jobs.ts', readFileSync(at('__test__', 'contract', 'jobs.ts'), 'utf8'))
      for (const [name, options] of Object.entries(MODULES)) {
        const compilerOptions = { ...STRICT, ...options, types: ['node'] }
        project.write(`${name}.json`, JSON.stringify({ compilerOptions, files: ['jobs.ts'] }))
        const tsc = tool(`typescript-${typescript}`, 'bin', 'tsc')
        const { code, stdout } = await project.node(tsc, '-p', `${name}.json`)
        assert.equal(code, 0, `${name}:\n${stdout}`)
      }
      t.diagnostic((await project.node(tool(`typescript-${typescript}`, 'bin', 'tsc'), '--version')).stdout.trim())
    })
  }
}

const main = () => tarballs.at(-1).file

withTools('publint has nothing to say', async () => {
  const { publint } = await import(tool('publint', 'src', 'index-node.js'))
  const { messages } = await publint({ pkgDir: at('target', 'pack'), strict: true })
  assert.deepEqual(messages, [])
})

/** Resolutions that do not concern it: 'node10' knows no exports, and require() of ES modules is Node's own matter. */
const NOT_OURS = ['node10', 'node16-cjs']

withTools('are the types wrong? They are not', async () => {
  const attw = tool('@arethetypeswrong', 'cli', 'dist', 'index.js')
  const { stdout } = await run(process.execPath, [attw, main(), '--format=json'], {})
  const problems = Object.values(JSON.parse(stdout).problems).flat()
  const ours = problems.filter(
    ({ resolutionKind, resolutionOption }) => !NOT_OURS.includes(resolutionKind ?? resolutionOption),
  )
  assert.deepEqual(ours, [])
})

// ---- bundlers and test runners ---------------------------------------------------------------------------

const bundlers = had(() => installed('bundlers', at('scripts', 'pack', 'bundlers')))
const bun = had(() => programOf(RUNTIMES.find(({ name }) => name === 'bun')))

/** What a recipe's commands find in PATH, as in a project where these tools are installed. */
function toolBin() {
  const bin = place('tool-bin')
  const inModules = path.join(bundlers.value, 'node_modules', '.bin')
  for (const name of readdirSync(inModules)) symlinkSync(path.join(inModules, name), path.join(bin, name))
  for (const [name, program] of [
    ['bun', bun.value],
    ['node', process.execPath],
  ])
    if (program) symlinkSync(program, path.join(bin, name))
  return bin
}
let tooled

for (const { title, files, commands } of recipesOf(readFileSync(at('docs', 'bundlers.md'), 'utf8'))) {
  const lacking = tools.lacking ?? bundlers.lacking ?? (title.startsWith('bun ') ? bun.lacking : undefined)
  test(`docs/bundlers.md: ${title}`, lacking ? { skip: lacking } : {}, async () => {
    tooled ??= toolBin()
    const project = await user(`with ${title.replaceAll(/\W/g, '-')}`)
    for (const name of readdirSync(path.join(bundlers.value, 'node_modules')).filter((name) => !name.startsWith('.')))
      symlinkSync(path.join(bundlers.value, 'node_modules', name), project.file(`node_modules/${name}`))
    for (const { name, code } of files) project.write(name, code)
    for (const command of commands) {
      const env = { PATH: `${tooled}:/usr/bin:/bin`, CI: 'true', NO_COLOR: '1' }
      const ended = await run('/bin/sh', ['-c', command.replace(/^npx /, '')], { cwd: project.directory, env })
      assert.equal(ended.code, 0, `${command}\n${ended.stdout}${ended.stderr}`)
      if (command === commands.at(-1)) assert.match(ended.stdout + ended.stderr, /^hello\n$|\b1 passed\b/)
    }
  })
}

// ---- where it cannot be loaded -------------------------------------------------------------------------

/** Code and message of the error with which the import ends. */
async function refusal(project, ...flags) {
  const code = `import('${manifest.name}').then(() => console.log('[]'), (e) => console.log(JSON.stringify([e.code, e.message])))`
  const { stdout, stderr } = await project.node(...flags, '--no-warnings', '--input-type=module', '--eval', code)
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}

/** A module that makes Node take this system for another. */
const elsewhere = (platform, arch) =>
  `Object.defineProperties(process, { platform: { value: '${platform}' }, arch: { value: '${arch}' } })`

withTools('on another system the import says that it does not run there', async () => {
  const project = await user('elsewhere')
  for (const [platform, arch] of [
    ['win32', 'x64'],
    ['linux', 'riscv64'],
    ['freebsd', 'arm64'],
  ]) {
    project.write('elsewhere.mjs', elsewhere(platform, arch))
    assert.deepEqual(await refusal(project, '--import', './elsewhere.mjs'), [
      'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
      `command-root does not run on ${platform}-${arch}`,
    ])
  }
})

withTools('docs/portable.md: with it, without it, and where there is no addon', async () => {
  const [{ name, code }] = filesOf(readFileSync(at('docs', 'portable.md'), 'utf8'))
  const [withIt, withoutIt] = [await user('portable'), new Project('bare', registry)]
  for (const project of [withIt, withoutIt]) project.write(name, code)
  withIt.write('elsewhere.mjs', elsewhere('win32', 'x64'))
  const hello = { code: 0, stdout: 'hello\n', stderr: '' }
  assert.deepEqual(await withIt.node(name), hello)
  assert.deepEqual(await withoutIt.node(name), hello)
  assert.deepEqual(await withIt.node('--import', './elsewhere.mjs', name), hello)
})

withTools("without its platform's package the import says which to install", async () => {
  const project = await user('omitted', '--omit=optional')
  assert.deepEqual(project.installed(), [manifest.name])
  const [code, message] = await refusal(project)
  assert.equal(code, 'MODULE_NOT_FOUND')
  assert.match(message, new RegExp(`^The addon of command-root is missing: install the package ${nativeName} [^\\n]*$`))
})

const permission = ['--permission', '--experimental-permission'].find((flag) =>
  process.allowedNodeEnvironmentFlags.has(flag),
)

withTools('under the permission model it wants --allow-addons', async () => {
  const project = await user('permitted')
  const [code, message] = await refusal(project, permission, '--allow-fs-read=*')
  assert.equal(code, 'ERR_DLOPEN_DISABLED')
  assert.match(message, /^[^\n]*addons[^\n]*$/)
  assert.deepEqual(await refusal(project, permission, '--allow-fs-read=*', '--allow-addons'), [])
})
