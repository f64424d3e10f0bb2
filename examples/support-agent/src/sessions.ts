const MOST = 500;
const VALID = /^[A-Za-z0-9_-]{8,64}$/;

/** What the agent remembers of a conversation: the order that was last named, and what was asked about it. */
export interface Turn {
  order: string;
  intent: string;
}

/** A bounded memory in this process; the conversation that was quiet for longest is dropped first. */
export interface Sessions {
  recall(session: string | undefined): Turn | null;
  remember(session: string | undefined, turn: Turn): void;
}

/** An empty memory. Session names that are no random-looking token are ignored. */
export function createSessions(): Sessions {
  const turns = new Map<string, Turn>();
  return {
    recall(session) {
      return (session !== undefined && turns.get(session)) || null;
    },
    remember(session, turn) {
      if (session === undefined || !VALID.test(session)) return;
      turns.delete(session);
      turns.set(session, turn);
      if (turns.size > MOST) turns.delete(turns.keys().next().value!);
    },
  };
}
