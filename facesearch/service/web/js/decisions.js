// Decisions about people: sent to the service, said in a toast with an undo, shown everywhere.
import { post, put } from "./api.js";
import { announceChange } from "./data/changes.js";
import { useGallery } from "./gallery.js";
import { go } from "./router.js";
import { count } from "./text.js";
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
 * wrong. Where a name is taken, the message offers what is probably meant: that person.
 */
export const useDecisions = () => {
  const { path, to, noteUndo } = useGallery();

  const undo = async (batch = null) => {
    try {
      const result = await post(path("undo"), { batch });
      noteUndo(result.undo);
      toast({ text: `Undone: ${sentence(result.decisions)}`, notes: result.notes, isUndone: true });
    } catch (error) {
      toastError(error);
    }
    announceChange();
  };

  // A face that was drawn comes with what was decided about it, if anything.
  const announceDecision = (result) => {
    const decided = "decisions" in result ? result : result.decision;
    if (!decided?.decisions.length) return;
    const batch = decided.decisions.at(-1).batch;
    noteUndo(decided.undo);
    toast({
      text: sentence(decided.decisions),
      notes: notesOf(decided),
      undo: () => undo(batch),
      act: lookAtUnsure(decided, to),
    });
  };

  const decide = async (rest, body = {}, { ifTaken = null, send = post } = {}) => {
    try {
      const headers = { "Idempotency-Key": decisionKey() };
      const result = await send(path(rest), body, { headers });
      announceDecision(result);
      announceChange();
      return result;
    } catch (error) {
      const other = error.code === "name-taken" && error.problem.person;
      if (other && ifTaken) toast({ text: error.message, act: { text: "The same person", run: () => ifTaken(other) } });
      else toastError(error);
      if (error.code === "changed") announceChange();
      return null;
    }
  };

  const person = (id) => `people/${encodeURIComponent(id)}`;
  const merge = (id, others) => decide(`${person(id)}/merge`, { others });
  const add = (id, faces) => decide(`${person(id)}/add`, { faces });
  return {
    undo,
    merge,
    add,
    name: (id, name) => decide(`${person(id)}/name`, { name }, { ifTaken: (other) => merge(other, [id]) }),
    split: (id, faces, name = null) => decide(`${person(id)}/split`, { faces, name }),
    /** Without faces: all of the person. */
    confirm: (id, faces = null) => decide(`${person(id)}/confirm`, { faces }),
    cover: (id, face) => decide(`${person(id)}/cover`, { face }, { send: put }),
    reject: (id, faces) => decide(`${person(id)}/reject`, { faces }),
    hide: (id) => decide(`${person(id)}/hide`),
    unhide: (id) => decide(`${person(id)}/unhide`),
    newPerson: (faces, name = null) => decide("people", { faces, name }, { ifTaken: (other) => add(other, faces) }),
    notFaces: (faces) => decide("faces/not-a-face", { faces }),
    answer: (suggestion, answer) => decide(`suggestions/${encodeURIComponent(suggestion)}`, { answer }),
    draw: (photo, box, who) => decide(`photos/${photo}/faces`, { box, ...who }),
  };
};

/** A name confirms only the faces that are surely of the person; the others are worth a look. */
const lookAtUnsure = ({ person, decisions }, to) => {
  const unsure = person && decisions.some((each) => each.action === "name") ? person.faces - person.confirmed : 0;
  if (unsure === 0) return null;
  const run = () => go(to("person", person.id, { order: "doubt" }));
  return { text: `Look at ${count(unsure, "unsure face")}`, run };
};

const notesOf = ({ notes = [], superseded = [] }) => [
  ...notes,
  ...superseded.map((each) => `Replaces: ${each.text}`),
];
