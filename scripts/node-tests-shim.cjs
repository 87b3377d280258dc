// Preloaded into one of Node's own tests (`node --require`): child_process.spawn and spawnSync go through command-root
// as far as it has what they ask for. What it has not falls through to Node's, and is counted with its reason.

const childProcess = require('node:child_process')
const fs = require('node:fs')
const { syncBuiltinESMExports } = require('node:module')
const path = require('node:path')
const process = require('node:process')
const { fileURLToPath } = require('node:url')
const { getSystemErrorMap } = require('node:util')
const { commandRoot, openRoot } = require('command-root')

const real = { spawn: childProcess.spawn, spawnSync: childProcess.spawnSync }
const root = openRoot('/', { resolve: 'in-root' })

// ---- what is told to scripts/node-tests.mjs ----------------------------------------------------------

const told = { ours: 0, fell: {} }
const report = process.env.COMMAND_ROOT_NODE_TESTS
// A test may look at its environment, and what it starts is none of ours.
delete process.env.COMMAND_ROOT_NODE_TESTS
if (report) process.on('exit', () => fs.writeFileSync(report, JSON.stringify(told)))

function fallThrough(reason, way, given) {
  told.fell[reason] = (told.fell[reason] ?? 0) + 1
  return way(...given)
}

// ---- from child_process's arguments to ours ----------------------------------------------------------

const OPTIONS = ['argv0', 'cwd', 'detached', 'env', 'gid', 'killSignal', 'signal', 'stdio', 'timeout', 'uid'].concat(
  'windowsHide',
  'windowsVerbatimArguments',
)
const SYNC_OPTIONS = OPTIONS.concat('encoding', 'input', 'maxBuffer').filter((name) => name !== 'signal')

/** As child_process: the arguments may be left out. */
function split(args, options) {
  if (args === undefined || args === null) return { args: [], options }
  const areOptions = typeof args === 'object' && !Array.isArray(args)
  return areOptions ? { args: [], options: args } : { args, options }
}

/** Why these options are for Node's own spawn; undefined: they are not. */
function foreign(given) {
  if (!isPlain(given)) return undefined
  const options = own(given)
  if (isGiven(options.shell) && options.shell !== false) return 'shell'
  if (options.serialization !== undefined) return 'ipc'
  if (Array.isArray(options.stdio) && options.stdio.includes('ipc')) return 'ipc'
  return undefined
}

const isGiven = (value) => value !== undefined && value !== null
const isPlain = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const own = (options) => ({ __proto__: null, ...options })

/** What is no object is for commandRoot() to refuse. Names that child_process overlooks are left out. */
function pick(options, names) {
  if (options !== undefined && !isPlain(options)) return options
  const given = own(options)
  for (const name of Object.keys(given)) if (!names.includes(name)) delete given[name]
  for (const name of ['timeout', 'maxBuffer']) checkNumber(name, given[name])
  for (const name of ['uid', 'gid']) checkId(name, given[name])
  return given
}

/** The contract has ERR_INVALID_ARG_TYPE for a wrong type, child_process the same error for all that is wrong here. */
function checkNumber(name, value) {
  if (!isGiven(value) || typeof value === 'number') return
  throw Object.assign(new RangeError(`The value of "${name}" is out of range [ERR_OUT_OF_RANGE]`), {
    code: 'ERR_OUT_OF_RANGE',
  })
}

/** The contract has ERR_OUT_OF_RANGE for a number that is no id, child_process ERR_INVALID_ARG_TYPE. */
function checkId(name, value) {
  if (typeof value !== 'number' || (Number.isInteger(value) && Math.abs(value) < 2 ** 31)) return
  throw Object.assign(new TypeError(`The "${name}" must be int32 [ERR_INVALID_ARG_TYPE]`), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
}

/** As execvp: a bare name is looked up in the child's PATH, any other is relative to the child's directory. */
function locate(file, options) {
  if (typeof file !== 'string' || file === '' || file.includes('\0')) return file
  if (path.isAbsolute(file)) return file
  const directory = directoryOf(options?.cwd)
  if (file.includes('/')) return path.resolve(directory, file)
  const search = (options?.env ?? process.env).PATH ?? '/usr/local/bin:/bin:/usr/bin'
  const entries = String(search).split(':')
  try {
    const found = root.lookPath(
      file,
      entries.map((entry) => path.resolve(directory, entry)),
    )
    return path.resolve('/', found)
  } catch {
    return file // is not there either, and that is what the start then says
  }
}

function directoryOf(cwd) {
  if (cwd instanceof URL) return fileURLToPath(cwd)
  return typeof cwd === 'string' ? path.resolve(cwd) : process.cwd()
}

function command(file, args, options) {
  const ours = isPlain(options) ? own({ ...options, argv0: options.argv0 ?? file, scripts: 'kernel' }) : options
  // child_process makes strings of what is none; the contract wants strings.
  const words = Array.isArray(args) ? args.map(String) : args
  return commandRoot(root, locate(file, options), words, ours)
}

// ---- the two functions -------------------------------------------------------------------------------

function spawn(file, ...rest) {
  const { args, options } = split(...rest)
  const reason = foreign(options)
  if (reason) return fallThrough(reason, real.spawn, [file, ...rest])
  told.ours++
  if (file === '') throw emptyFile()
  const child = command(file, args, pick(options, OPTIONS)).spawn()
  child.spawnfile = file
  return child
}

// An empty name is ENOENT to the contract, and a bad argument to child_process.
function emptyFile() {
  return Object.assign(new TypeError("The argument 'file' cannot be empty"), { code: 'ERR_INVALID_ARG_VALUE' })
}

/** child_process's default, which is not ours. */
const MAX_BUFFER = 1024 * 1024

function spawnSync(file, ...rest) {
  const { args, options } = split(...rest)
  const reason = foreign(options) ?? (hasPipeBeyond(options) ? 'a pipe beyond 2 in spawnSync' : undefined)
  if (reason) return fallThrough(reason, real.spawnSync, [file, ...rest])
  told.ours++
  if (file === '') throw emptyFile()
  const picked = pick(options, SYNC_OPTIONS)
  if (!isPlain(picked)) return command(file, args, picked)
  picked.maxBuffer ??= MAX_BUFFER
  const stdio = forms(picked.stdio)
  // Node makes a pipe of stdin whatever was said, where there is input for it.
  if (picked.input === undefined || picked.input === null) delete picked.input
  else stdio[0] = 'pipe'
  if (picked.encoding === null) delete picked.encoding
  const runnable = command(file, args, own({ ...picked, stdio }))
  return resultOf(() => runnable.outputSync(), file, args, stdio)
}

const hasPipeBeyond = (options) => forms(own(options).stdio).some((form, i) => i > 2 && form === 'pipe')

function forms(stdio) {
  if (!Array.isArray(stdio)) return Array(3).fill(stdio ?? 'pipe')
  return Array.from({ length: Math.max(3, stdio.length) }, (_, i) => stdio[i] ?? (i < 3 ? 'pipe' : 'ignore'))
}

function resultOf(run, file, args, stdio) {
  let output
  let error
  try {
    output = run()
    if (output.timedOut) error = errorOf('ETIMEDOUT', file, args)
  } catch (caught) {
    output = caught.output
    if (caught.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') error = errorOf('ENOBUFS', file, args)
    else if (caught.errno) error = errorOf(caught.code, file, args)
    else throw caught
  }
  const piped = (i, value) => (stdio[i] === 'pipe' ? value : null)
  const streams = output ? [null, piped(1, output.stdout), piped(2, output.stderr)] : null
  const result = {
    status: output?.code ?? null,
    signal: output?.signal ?? null,
    output: streams,
    pid: output?.pid ?? 0,
    stdout: streams?.[1] ?? null,
    stderr: streams?.[2] ?? null,
  }
  return error ? { error, ...result } : result
}

function errorOf(code, file, args) {
  const [errno] = [...getSystemErrorMap()].find(([, [name]]) => name === code)
  const syscall = `spawnSync ${file}`
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall, path: file, spawnargs: [...args] })
}

Object.assign(childProcess, { spawn, spawnSync })
syncBuiltinESMExports()
