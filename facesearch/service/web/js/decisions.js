// Decisions about people: sent to the service, said in a toast with an undo, shown everywhere.
import { post } from "./api.js";
import { announceChange } from "./data.js";
import { useGallery } from "./gallery.js";
import { toast, toastError } from "./toasts.js";

// One key for one decision, so that a request sent twice decides once. crypto.randomUUID is
// missing where the page is not on https or localhost.
const decisionKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");

const sentence = (decisions) => {
  if (!decisions.length) return "Nothing changed";
  const more = decisions.length > 1 ? ` and ${decisions.length - 1} more` : "";
  return decisions[0].text + more;
};

/**
 * Functions that decide. Each answers the service's result, or null after it has said what went
 * wrong; `name` throws the error "name-taken", since there is something to ask.
 */
export const useDecisions = () => {
  const { path } = useGallery();

  const undo = async (batch = null) => {
    try {
      const result = await post(path("undo"), { batch });
      toast({ text: `Undone: ${sentence(result.decisions)}`, notes: result.notes });
    } catch (error) {
      toastError(error);
    }
    announceChange();
  };

  const decide = async (rest, body = {}, { throws = null } = {}) => {
    try {
      const headers = { "Idempotency-Key": decisionKey() };
      const result = await post(path(rest), body, { headers });
      const decided = "decisions" in result ? result : { decisions: [result.decision], notes: [] };
      const made = decided.decisions.filter(Boolean);
      if (made.length) {
        const batch = made.at(-1).batch;
        toast({ text: sentence(made), notes: notesOf(decided), undo: () => undo(batch) });
      }
      announceChange();
      return result;
    } catch (error) {
      if (throws && error.code === throws) throw error;
      toastError(error);
      if (error.code === "changed") announceChange();
      return null;
    }
  };

  const person = (id) => `people/${encodeURIComponent(id)}`;
  return {
    undo,
    name: (id, name) => decide(`${person(id)}/name`, { name }, { throws: "name-taken" }),
    merge: (id, others) => decide(`${person(id)}/merge`, { others }),
    split: (id, faces, name = null) => decide(`${person(id)}/split`, { faces, name }),
    add: (id, faces) => decide(`${person(id)}/add`, { faces }),
    reject: (id, faces) => decide(`${person(id)}/reject`, { faces }),
    hide: (id) => decide(`${person(id)}/hide`),
    unhide: (id) => decide(`${person(id)}/unhide`),
    newPerson: (faces, name = null) => decide("people", { faces, name }, { throws: "name-taken" }),
    notFaces: (faces) => decide("faces/not-a-face", { faces }),
    answer: (suggestion, answer) =>
      decide(`suggestions/${encodeURIComponent(suggestion)}`, { answer }),
    draw: (photo, box, who) => decide(`photos/${photo}/faces`, { box, ...who }),
  };
};

const notesOf = ({ notes = [], superseded = [] }) => [
  ...notes,
  ...superseded.map((each) => `Replaces: ${each.text}`),
];
