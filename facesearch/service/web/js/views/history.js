// Everything that was decided, the latest first, with an undo of the last.
import { Icon } from "../controls/icon.js";
import { Empty, Failure, Heading } from "../controls/states.js";
import { usePages } from "../data.js";
import { useDecisions } from "../decisions.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { moment } from "../text.js";

const Decision = ({ decision, isLast, undo }) => {
  const { to } = useGallery();
  return html`
    <li class="decision ${decision.undone ? "undone" : ""}">
      <div>
        <p>
          ${decision.person ? html`<a href=${to("person", decision.person)}>${decision.text}</a>` : decision.text}
          ${decision.undone && html` <span class="mark">undone</span>`}
        </p>
        <p class="soft small">${moment(decision.at)}${decision.by && html`<span class="dot" />${decision.by}`}</p>
      </div>
      ${isLast && html`<button type="button" onClick=${() => undo(decision.batch)}><${Icon} name="undo" /> Undo</button>`}
    </li>
  `;
};

export const HistoryView = ({ query }) => {
  const { path, can, info } = useGallery();
  const decisions = useDecisions();
  const list = usePages(path("history"), "decisions");
  const shown = list.items.filter(({ person, other }) => !query.person || person === query.person || other === query.person);
  const last = can("decide") && info?.undo ? info.undo.batch : null;
  const isLast = (decision) => decision.batch === last && shown.find((each) => each.batch === last) === decision;
  return html`
    <${Heading} note="Undo takes back the last decision; again, the one before.">
      ${query.person ? `History of ${query.person}` : "History"}
    <//>
    ${list.error && html`<${Failure} error=${list.error} />`}
    ${list.total !== null && shown.length === 0 && html`<${Empty}><p>Nothing was decided yet.</p><//>`}
    <ol class="history">
      ${shown.map(
        (decision) => html`<${Decision} key=${decision.id} decision=${decision} isLast=${isLast(decision)} undo=${decisions.undo} />`,
      )}
    </ol>
    ${list.isMore && html`<p class="after"><button type="button" onClick=${() => list.need(list.items.length)}>Show more</button></p>`}
  `;
};
