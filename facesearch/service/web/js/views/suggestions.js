// Suggested corrections as cards, answered with one key each.
import { FaceCrop, PersonLink } from "../components/picture.js";
import { Empty, Failure, Heading, Loading, Tabs } from "../controls/states.js";
import { useResource } from "../data/resource.js";
import { useDecisions } from "../decisions.js";
import { useEvents } from "../events.js";
import { useGallery } from "../gallery.js";
import { html, useLayoutEffect, useRef, useState } from "../html.js";
import { useKeys } from "../keys.js";
import { count, number, percent } from "../text.js";

const KINDS = {
  same: {
    tab: "Same person?",
    title: "Same person?",
    sign: "=",
    question: () => "Are these the same person?",
    yes: "Yes, one person",
    no: "No, two people",
  },
  leftover: {
    tab: "Is this…?",
    sign: "=",
    title: "Is this…?",
    question: ([person], { length }) => `${length === 1 ? "Is this" : "Are these"} ${person.label}?`,
    yes: "Yes",
    no: "No, somebody else",
  },
  mixture: {
    tab: "Two people?",
    sign: "≠",
    title: "Two people?",
    question: ([person]) => `Are these faces of ${person.label} another person?`,
    yes: "Yes, another person",
    no: "No, all one person",
  },
  doubt: {
    tab: "Doubtful faces",
    sign: "≠",
    title: "Doubtful faces",
    question: ([person]) => `Is this face somebody other than ${person.label}?`,
    yes: "Yes, somebody else",
    no: "No, it is right",
  },
};

const Faces = ({ faces, label }) => {
  const { to } = useGallery();
  return html`
    <ul class="card-faces" aria-label=${label}>
      ${faces.slice(0, 6).map((face) => html`<li key=${face}><${FaceCrop} face=${face} size=${320} alt="A face" /></li>`)}
    </ul>
  `;
};

const Side = ({ person, faces, children }) => html`
  <div class="side">
    <${Faces} faces=${faces} label=${person ? `Faces of ${person.label}` : "The faces asked about"} />
    ${person && html`<${PersonLink} person=${person}><small class="soft">${count(person.photos, "photo")}</small><//>`}
    ${children}
  </div>
`;

const sidesOf = ({ kind, people, faces, examples }) => {
  const examplesOf = (index) => examples?.[index] ?? [people[index].cover?.face].filter(Boolean);
  if (kind === "same") return people.map((person, index) => ({ person, faces: examplesOf(index) }));
  return [{ person: null, faces }, { person: people[0], faces: examplesOf(0) }];
};

/** Whether "not a face" is an answer: of two people it would be the second, if a single face. */
const mayBeNoFace = ({ kind, people }) => kind !== "same" || people[1].faces === 1;

const Answers = ({ suggestion, answer }) => {
  const words = KINDS[suggestion.kind];
  return html`
    <div class="actions answers">
      <button type="button" class="primary" onClick=${() => answer("yes")}>${words.yes} <kbd aria-hidden="true">y</kbd></button>
      <button type="button" onClick=${() => answer("no")}>${words.no} <kbd aria-hidden="true">n</kbd></button>
      <button type="button" onClick=${() => answer("later")}>Later <kbd aria-hidden="true">l</kbd></button>
      ${mayBeNoFace(suggestion) &&
      html`
        <button type="button" onClick=${() => answer("not-a-face")}>
          ${suggestion.kind === "same" ? "The right one is not a face" : "Not a face"} <kbd aria-hidden="true">x</kbd>
        </button>
      `}
    </div>
  `;
};

/** A question; without `answer` it is only shown. */
const Card = ({ suggestion, isFirst, answer }) => {
  const element = useRef(null);
  // The button that had the focus went with the card before; this one is read out instead.
  useLayoutEffect(() => {
    if (!isFirst) element.current.focus({ preventScroll: true });
  }, []);
  const words = KINDS[suggestion.kind];
  const sides = sidesOf(suggestion);
  return html`
    <article ref=${element} class="card" tabindex="-1" aria-labelledby="question">
      <h2 id="question">${words.question(suggestion.people, suggestion.faces)}</h2>
      <p class="soft">${percent(suggestion.probability)} likely.</p>
      <div class="sides">
        <${Side} ...${sides[0]} />
        <span class="link" aria-hidden="true">${words.sign}</span>
        <${Side} ...${sides[1]} />
      </div>
      ${answer && html`<${Answers} suggestion=${suggestion} answer=${answer} />`}
    </article>
  `;
};

export const SuggestionsView = ({ query }) => {
  const { path, to, can } = useGallery();
  const kind = KINDS[query.kind] ? query.kind : "same";
  const decisions = useDecisions();
  const { data, error, reload } = useResource(path("suggestions"), { kind, limit: 20 });
  // An answered card goes at once; the service's next list may still have it for a moment.
  const [answered, setAnswered] = useState([]);
  const hasAnswered = useRef(false);
  useEvents("suggestions", reload);
  // Those that come back after all others: put off, or their answer did not arrive.
  const [later, setLater] = useState([]);
  const waiting = (data?.suggestions ?? [])
    .filter((each) => !answered.includes(each.id))
    .sort((one, other) => later.indexOf(one.id) - later.indexOf(other.id));
  // The card that is shown stays: no list that arrives may put another under the next key.
  const shown = useRef(null);
  const suggestion = waiting.find((each) => each.id === shown.current) ?? waiting[0];
  shown.current = suggestion?.id;
  const answer = async (reply) => {
    if (!suggestion) return;
    if (reply === "not-a-face" && !mayBeNoFace(suggestion)) return;
    hasAnswered.current = true;
    setAnswered((before) => [...before, suggestion.id]);
    const result = await decisions.answer(suggestion.id, reply);
    if (!result || reply === "later") {
      const others = (before) => before.filter((each) => each !== suggestion.id);
      setLater((before) => [...others(before), suggestion.id]);
      setAnswered(others);
    }
  };
  useKeys(
    can("decide")
      ? [
          { key: "y", does: "Yes", run: () => answer("yes") },
          { key: "n", does: "No", run: () => answer("no") },
          { key: "l", does: "Later", run: () => answer("later") },
          { key: "x", does: "Not a face", run: () => answer("not-a-face") },
        ]
      : [],
  );
  const tabs = Object.entries(KINDS).map(([key, words]) => ({
    text: words.tab,
    href: to("suggestions", "", { kind: key === "same" ? null : key }),
    isCurrent: key === kind,
    tally: key === kind && data ? number(waiting.length && Math.max(data.total, waiting.length)) : null,
  }));
  return html`
    <${Heading} note="What is worth a look, with the greatest expected gain first. Nothing changes without an answer.">
      ${KINDS[kind].title}
    <//>
    <div class="toolbar"><${Tabs} label="Kinds of suggestions" tabs=${tabs} /></div>
    ${error && html`<${Failure} error=${error} />`}
    ${!data && !error && html`<${Loading} />`}
    ${suggestion && html`<${Card} key=${suggestion.id} suggestion=${suggestion} isFirst=${!hasAnswered.current} answer=${can("decide") ? answer : null} />`}
    ${data &&
    !suggestion &&
    (data.computing
      ? html`<${Empty}><p role="status">Faces are being compared. This page follows by itself.</p><//>`
      : html`<${Empty}><p>Nothing to ask. Name people and come back.</p><a class="button" href=${to("people")}>To the people</a><//>`)}
  `;
};
