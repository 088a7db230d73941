// Asks before something that can't be taken back: `if (await confirm({ title, text, action: 'Delete source' })) …`.
// One host in the layout shows it; a second question waits for the first. The safe answer has the focus.
export type Question = {
  title: string
  text: string
  /** What the button does: verb and object. */
  action: string
  /** The way out. */
  keep?: string
  danger?: boolean
  /** A word that must be typed first: for what is lost for good. */
  type_word?: string
}

type Asked = Question & { answer: (yes: boolean) => void }

class Confirm {
  queue = $state.raw<readonly Asked[]>([])

  ask(question: Question): Promise<boolean> {
    return new Promise((resolve) => {
      const asked: Asked = {
        ...question,
        answer: (yes) => {
          this.queue = this.queue.filter((each) => each !== asked)
          resolve(yes)
        },
      }
      this.queue = [...this.queue, asked]
    })
  }
}

export const questions = new Confirm()

/** Whether the person said yes; closing the dialog is a no. */
export function confirm(question: Question): Promise<boolean> {
  return questions.ask(question)
}
