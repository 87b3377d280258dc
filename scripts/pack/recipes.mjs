// The recipes of guides, as they stand there.

/** The fenced blocks of a text: what follows the backticks, and the code. */
const blocksOf = (markdown) =>
  [...markdown.matchAll(/^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)].map(([, language, name, code]) => ({
    language,
    name,
    code,
  }))

/** Those that have a name. */
export const filesOf = (markdown) => blocksOf(markdown).filter(({ name }) => name !== '')

/**
 * One of each heading below the title: the files it shows, those that the page begins with too, and the commands. A part
 * without commands is none.
 */
export function recipesOf(markdown) {
  const [beginning, ...parts] = markdown.split(/^## /m)
  const shared = filesOf(beginning)
  return parts.flatMap((part) => {
    const blocks = blocksOf(part)
    const commands = blocks.filter(({ language }) => language === 'sh').flatMap(({ code }) => code.trim().split('\n'))
    const title = part.split('\n', 1)[0]
    return commands.length > 0 ? [{ title, files: [...shared, ...filesOf(part)], commands }] : []
  })
}
