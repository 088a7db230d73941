// CodeMirror for Databricks SQL: colours, completion, marks at faults. Heavy; imported when a field is shown. It keeps no Tab, so
// that the keyboard gets out again, and no Ctrl+Enter, which sends the form.
import { autocompletion, completionKeymap, type CompletionContext } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { sql, SQLDialect } from '@codemirror/lang-sql'
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { setDiagnostics } from '@codemirror/lint'
import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, keymap, lineNumbers, placeholder } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { complete, type SqlWords } from './complete.ts'

export type Fault = { message: string; line?: number; column?: number }
export type Mounted = {
  set(value: string): void
  attributes(attributes: Record<string, string>): void
  mark(faults: readonly Fault[]): void
  destroy(): void
}

const DATABRICKS = SQLDialect.define({
  keywords:
    'select from where group by having order limit offset with as on using join left right full inner cross semi anti union intersect except all distinct case when then else end and or not in is null between like ilike rlike exists cast try_cast over partition rows range unbounded preceding following current row qualify window interval lateral view explode asc desc nulls first last',
  types:
    'tinyint smallint int bigint float double decimal string binary boolean date timestamp timestamp_ntz array map struct',
  backslashEscapes: true,
  doubleQuotedStrings: true,
  identifierQuotes: '`',
})

const COLOURS = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--accent)' },
  { tag: tags.typeName, color: 'var(--z-raw)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--s-ok)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--z-bronze)' },
  { tag: tags.comment, color: 'var(--fg-subtle)', fontStyle: 'italic' },
])

const LOOK = EditorView.theme({
  '&': { backgroundColor: 'var(--surface)', color: 'var(--fg)', fontSize: '13px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '20px' },
  '.cm-content': { padding: '6px 0', caretColor: 'var(--fg)' },
  // A browser that replaces coloured text may leave its colour on the line
  '.cm-line': { padding: '0 8px', color: 'inherit !important' },
  '.cm-cursor': { borderLeftColor: 'var(--fg)' },
  '.cm-gutters': {
    backgroundColor: 'var(--surface)',
    color: 'var(--fg-subtle)',
    border: 'none',
  },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--accent-soft) !important',
  },
  '.cm-placeholder': { color: 'var(--fg-subtle)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--raised)',
    color: 'var(--fg)',
    border: '1px solid var(--line)',
    borderRadius: '6px',
    boxShadow: 'var(--shadow)',
  },
  '.cm-tooltip-autocomplete > ul > li': { padding: '2px 8px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'var(--accent-soft)',
    color: 'var(--fg)',
  },
  '.cm-completionDetail': { color: 'var(--fg-muted)', fontStyle: 'normal' },
  '.cm-completionInfo': { maxWidth: '320px', padding: '6px 8px' },
  '.cm-diagnostic': { borderLeft: '3px solid var(--s-fail)' },
})

const KINDS = { column: 'property', function: 'function', table: 'class', keyword: 'keyword' }

/** Puts an editor into an element. `words` is asked each time something is completed. */
export function mountSql(
  parent: HTMLElement,
  options: {
    value: string
    lines: number
    placeholder: string
    words: () => SqlWords
    onchange: (value: string) => void
    onblur: () => void
  },
): Mounted {
  const labels = new Compartment()
  const one_line = options.lines === 1
  let silent = false
  const source = (context: CompletionContext) => {
    const before = context.state.sliceDoc(0, context.pos)
    if (!context.explicit && !/[\w.`]$/.test(before)) return null
    const found = complete(before, options.words())
    if (!found) return null
    return {
      from: found.from,
      options: found.options.map(({ kind, ...each }, at) => ({
        ...each,
        type: KINDS[kind],
        // Columns first, words of SQL last
        boost: kind === 'column' ? 2 : kind === 'keyword' ? -2 : at < 0 ? 1 : 0,
      })),
      validFor: /^[\w`]*$/,
    }
  }
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: options.value,
      extensions: [
        ...(one_line ? [] : [lineNumbers()]),
        history(),
        bracketMatching(),
        sql({ dialect: DATABRICKS }),
        syntaxHighlighting(COLOURS),
        autocompletion({ override: [source], icons: false }),
        keymap.of([
          ...completionKeymap,
          ...defaultKeymap.filter((binding) => binding.key !== 'Mod-Enter'),
          ...historyKeymap,
        ]),
        EditorView.lineWrapping,
        placeholder(options.placeholder),
        labels.of([]),
        LOOK,
        EditorView.theme({ '.cm-content': { minHeight: `${options.lines * 20 + 12}px` } }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && !silent) options.onchange(update.state.doc.toString())
          if (update.focusChanged && !update.view.hasFocus) options.onblur()
        }),
      ],
    }),
  })
  return {
    set(value) {
      if (value === view.state.doc.toString()) return
      silent = true
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } })
      silent = false
    },
    attributes(attributes) {
      view.dispatch({ effects: labels.reconfigure(EditorView.contentAttributes.of(attributes)) })
    },
    mark(faults) {
      const { doc } = view.state
      const marks = faults
        .filter((fault) => fault.line !== undefined && fault.line <= doc.lines)
        .map((fault) => {
          const line = doc.line(fault.line!)
          const from = Math.min(line.from + Math.max(0, (fault.column ?? 1) - 1), line.to)
          const word = /^[\w.`]+|^\S+/.exec(doc.sliceString(from, line.to))?.[0] ?? ''
          return {
            from,
            to: Math.min(from + Math.max(1, word.length), line.to),
            severity: 'error' as const,
            message: fault.message,
          }
        })
      view.dispatch(setDiagnostics(view.state, marks))
    },
    destroy: () => view.destroy(),
  }
}
