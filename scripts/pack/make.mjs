// Makes the tarballs of a release, the package's own and one for each platform:
//
//   node scripts/pack/make.mjs ARTIFACTS OUT
//
// ARTIFACTS holds a command-root.<platform>.node for each of package.json's targets (npm run build:cross -- --all).
// The optionalDependencies are written here, into a copy, and never into the committed package.json.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { npm, repository } from './tools.mjs'

const stage = path.join(repository, 'target', 'pack')

function napi(...args) {
  execFileSync(path.join(repository, 'node_modules', '.bin', 'napi'), args, { cwd: stage, stdio: 'pipe' })
}

/** A directory that holds what is published, and nothing that a build may have left beside it. */
function lay() {
  rmSync(stage, { recursive: true, force: true })
  mkdirSync(path.join(stage, 'npm'), { recursive: true })
  for (const file of ['package.json', 'README.md', 'LICENSE', 'binding.cjs', 'binding.d.cts', 'dist'])
    cpSync(path.join(repository, file), path.join(stage, file), { recursive: true })
}

const pack = (directory, out) =>
  Object.values(
    JSON.parse(npm(['pack', '--ignore-scripts', '--json', `--pack-destination=${out}`], { cwd: directory })),
  ).map((packed) => ({
    name: packed.name,
    file: path.join(out, packed.filename),
    size: packed.size,
    unpackedSize: packed.unpackedSize,
  }))

/** The tarballs, the package's own last: what it asks for is to be there when it is published. */
export function makeTarballs(artifacts, out) {
  lay()
  napi('create-npm-dirs')
  napi('artifacts', '--output-dir', artifacts, '--npm-dir', 'npm')
  napi('pre-publish', '--skip-optional-publish', '--no-gh-release', '--tag-style', 'npm')
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const platforms = readdirSync(path.join(stage, 'npm')).map((platform) => path.join(stage, 'npm', platform))
  for (const directory of platforms) cpSync(path.join(stage, 'LICENSE'), path.join(directory, 'LICENSE'))
  return [...platforms, stage].flatMap((directory) => pack(directory, out))
}

if (process.argv[1] === import.meta.filename) {
  const [artifacts, out] = process.argv.slice(2).map((argument) => path.resolve(argument))
  if (out === undefined) {
    console.error('make.mjs: two directories are wanted, that of the addons and that of the tarballs')
    process.exit(2)
  }
  for (const { file, size, unpackedSize } of makeTarballs(artifacts, out))
    console.log(`${path.relative(process.cwd(), file)}  ${size} bytes, ${unpackedSize} unpacked`)
}
