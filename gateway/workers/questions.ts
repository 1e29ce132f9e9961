/** Questions and answers over a channel that carries messages in order and may end at any time. */
import type { Answer, Asking, Question } from "./messages.ts";

/** One side of it. */
export interface Questions {
  /** @throws Error if there is no answer in time, or the other side has failed. */
  ask(question: Question, timeoutMs: number): Promise<Answer>;
  /** Takes a message. */
  take(message: Asking): void;
  /** Fails what is waited for: the other side is gone. */
  close(): void;
}

/** Makes a side. `answer` is asked by the other one. */
export function createQuestions(
  send: (message: Asking) => void,
  answer: (question: Question) => Promise<Answer>,
): Questions {
  const waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  let last = 0;

  async function reply(id: number, question: Question): Promise<void> {
    try {
      send({ kind: "answer", id, answer: await answer(question) });
    } catch (error) {
      send({ kind: "answer", id, answer: undefined, failed: (error as Error).message });
    }
  }

  return {
    async ask(question, timeoutMs) {
      const id = ++last;
      const answered = Promise.withResolvers<Answer>();
      waiting.set(id, answered);
      const late = setTimeout(() => answered.reject(new Error(`no answer after ${timeoutMs} ms`)), timeoutMs);
      try {
        send({ kind: "question", id, question });
        return await answered.promise;
      } finally {
        clearTimeout(late);
        waiting.delete(id);
      }
    },
    take(message) {
      if (message.kind === "question") void reply(message.id, message.question);
      else if (message.failed !== undefined) waiting.get(message.id)?.reject(new Error(message.failed));
      else waiting.get(message.id)?.resolve(message.answer);
    },
    close() {
      for (const { reject } of waiting.values()) reject(new Error("the other process is gone"));
    },
  };
}
