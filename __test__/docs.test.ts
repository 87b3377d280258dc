// The guides name everything there is, their examples run, and their links lead somewhere.

import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import test from 'ava'
import { probe } from 'command-root'
import ts from 'typescript'
import { repository } from './support/programs.ts'

const at = (file: string) => path.join(repository, file)
const read = (file: string) => fs.readFileSync(at(file), 'utf8')

/** Every file below `directory` that ends so; what is installed, built or hidden is none of ours. */
function filesIn(directory: string, end: string): string[] {
  return fs.readdirSync(at(directory), { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(directory, entry.name)
    if (/^(\.|node_modules$|target$|dist$)/.test(entry.name)) return []
    return entry.isDirectory() ? filesIn(file, end) : file.endsWith(end) ? [file] : []
  })
}

// ---- pages, as far as these tests read them ----------------------------------------------------

interface Heading {
  level: number
  text: string
  /** Its first identifier: `openRoot` of `openRoot(path, options)`. */
  name: string
}

const FENCE = /^```(.*)\n([\s\S]*?)^```$/gm
const withoutCode = (markdown: string) => markdown.replaceAll(FENCE, '')

function headingsOf(markdown: string): Heading[] {
  return [...withoutCode(markdown).matchAll(/^(#+) (.+)$/gm)].map(([, hashes = '', text = '']) => ({
    level: hashes.length,
    text,
    name: /[\w$]+/.exec(text)?.[0] ?? '',
  }))
}

/** The names of the headings directly below the one of that text or name. */
function below(headings: readonly Heading[], title: string): string[] {
  const index = headings.findIndex(({ name, text, level }) => level > 1 && (name === title || text === title))
  const top = headings[index]
  if (!top) return []
  const rest = headings.slice(index + 1)
  const end = rest.findIndex(({ level }) => level <= top.level)
  return (end < 0 ? rest : rest.slice(0, end)).map(({ name }) => name)
}

/** The text below a heading, up to the next. */
function textBelow(markdown: string, title: string): string {
  return withoutCode(markdown).split(`# ${title}\n`)[1]?.split(/^#/m)[0] ?? ''
}

/** What the first cells of tables say in backticks. */
function firstCells(markdown: string): string[] {
  return [...markdown.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word),
  )
}

function linksOf(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
}

/** As GitHub makes them. */
function anchorsOf(markdown: string): string[] {
  const seen = new Map<string, number>()
  return headingsOf(markdown).map(({ text }) => {
    const anchor = text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
    const before = seen.get(anchor) ?? 0
    seen.set(anchor, before + 1)
    return before ? `${anchor}-${before}` : anchor
  })
}

// ---- what there is, as the compiler sees it ----------------------------------------------------

const config = ts.parseJsonConfigFileContent(
  ts.readConfigFile(at('tsconfig.json'), ts.sys.readFile).config,
  ts.sys,
  repository,
)
const program = ts.createProgram([at('index.ts')], config.options)
const checker = program.getTypeChecker()

function exported(): ts.Symbol[] {
  const source = program.getSourceFile(at('index.ts'))
  const module = source && checker.getSymbolAtLocation(source)
  if (!module) throw new Error('index.ts is no module')
  return checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
}

/** The members that an interface or class declares itself, in lib/; names only, no symbols, nothing private. */
function membersOf(symbol: ts.Symbol): string[] {
  return (symbol.declarations ?? []).flatMap((declaration) =>
    ts.isInterfaceDeclaration(declaration) || ts.isClassDeclaration(declaration)
      ? declaration.members.flatMap((member) => {
          const { name } = member
          const hidden = ts.canHaveModifiers(member) && ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private
          return name && ts.isIdentifier(name) && !hidden ? [name.text] : []
        })
      : [],
  )
}

function exportedAs(name: string): ts.Symbol {
  const found = exported().find((symbol) => symbol.name === name)
  if (!found) throw new Error(`${name} is not exported`)
  return found
}

/** Of a type that is a choice of strings. */
function choicesOf(name: string): string[] {
  const type = checker.getDeclaredTypeOfSymbol(exportedAs(name))
  return type.isUnion() ? type.types.flatMap((one) => (one.isStringLiteral() ? [one.value] : [])) : []
}

// ---- the tests ---------------------------------------------------------------------------------

const api = read('docs/api.md')
const apiHeadings = headingsOf(api)

test('every exported name has a heading in api.md', (t) => {
  const names = exported().map(({ name }) => name)
  t.true(names.includes('openRoot') && names.includes('CommandOptions'), names.join())
  const headings = apiHeadings.map(({ name }) => name)
  t.deepEqual(
    names.filter((name) => !headings.includes(name)),
    [],
  )
})

test('every member of an exported interface or class has a heading below its own', (t) => {
  const types = exported().filter((symbol) => symbol.name !== 'ProcessAttributes' && membersOf(symbol).length > 0)
  for (const name of ['RootOptions', 'CommandOptions', 'CommandOutput', 'Root', 'Command', 'Child', 'Probe', 'IdMap'])
    t.true(
      types.some((symbol) => symbol.name === name),
      name,
    )
  for (const symbol of types) {
    const headings = below(apiHeadings, symbol.name)
    const missing = membersOf(symbol).filter((member) => !headings.includes(member))
    t.deepEqual(missing, [], symbol.name)
  }
})

test('every attribute has a heading, and is one that probe() may tell', (t) => {
  const all = membersOf(exportedAs('ProcessAttributes')).sort()
  t.true(all.length > 20)
  t.deepEqual(below(apiHeadings, 'ProcessAttributes').sort(), all)
  t.deepEqual(
    probe().attributes.filter((name) => !all.includes(name)),
    [],
  )
})

test('api.md has no heading for what there is not', (t) => {
  const types = exported().filter((symbol) => membersOf(symbol).length > 0)
  for (const symbol of types) {
    const members = membersOf(symbol)
    t.deepEqual(
      below(apiHeadings, symbol.name).filter((heading) => !members.includes(heading)),
      [],
      symbol.name,
    )
  }
})

const errors = read('docs/errors.md')

test('every code of an error has a row in errors.md, and every row a code', (t) => {
  const sources = [...filesIn('lib', '.ts'), ...filesIn('src', '.rs')].map(read).join('\n')
  const codes = new Set(sources.match(/\b(ERR_[A-Z0-9_]*[A-Z0-9]|ABORT_ERR|MODULE_NOT_FOUND)\b/g))
  codes.delete('ERR_STREAM_PREMATURE_CLOSE') // Node's, and kept inside
  t.true(codes.size > 10)
  const rows = firstCells(errors).filter((word) => /ERR|MODULE/.test(word))
  t.deepEqual([...new Set(rows)].sort(), [...codes].sort())
})

test('every step has a row in errors.md', (t) => {
  const steps = choicesOf('Step')
  t.true(steps.length > 20)
  t.deepEqual(firstCells(textBelow(errors, 'Steps')).sort(), steps.sort())
})

test('every name of a resource limit is in api.md', (t) => {
  const text = textBelow(api, 'RlimitName')
  for (const name of choicesOf('RlimitName')) t.true(text.includes(`\`'${name}'\``), name)
})

const pages = filesIn('.', '.md')

for (const page of pages) {
  const markdown = read(page)
  const examples = [...markdown.matchAll(FENCE)].filter(([, info = '']) => info === 'js runnable')
  for (const [i, [, , code = '']] of examples.entries()) {
    test(`${page}: example ${i + 1} runs`, async (t) => {
      const ended = await new Promise<string>((resolve) => {
        execFile(
          process.execPath,
          ['--input-type=module', '-e', code],
          { cwd: repository, timeout: 60_000 },
          (error, _stdout, stderr) => resolve(error ? `${error.message}\n${stderr}` : ''),
        )
      })
      t.is(ended, '', code)
    })
  }
}

test('the guides have examples that run', (t) => {
  for (const page of ['api', 'errors', 'from-child_process', 'from-execa', 'from-go'])
    t.regex(read(`docs/${page}.md`), /^```js runnable$/m, page)
})

test('every relative link leads to a file, and to a heading where it says so', (t) => {
  t.true(pages.includes('README.md') && pages.includes(path.join('docs', 'api.md')))
  for (const page of pages) {
    for (const link of linksOf(read(page)).filter((target) => !/^[a-z]+:/.test(target))) {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? page : path.join(path.dirname(page), file)
      t.true(fs.existsSync(at(target)), `${page}: ${link}`)
      if (anchor !== undefined) t.true(anchorsOf(read(target)).includes(anchor), `${page}: ${link}`)
    }
  }
})

test('every page in docs/ is listed in docs/README.md', (t) => {
  const listed = linksOf(read('docs/README.md'))
  for (const page of fs.readdirSync(at('docs')).filter((name) => name !== 'README.md'))
    t.true(listed.includes(page), page)
})
