// Everything that was decided, or about one person, the latest first, with an undo of the last.
import { Icon } from "../controls/icon.js";
import { Empty, Failure, Heading } from "../controls/states.js";
import { useBeginning } from "../data/long_list.js";
import { useResource } from "../data/resource.js";
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

/** "History of Ada", where it is about one person. */
const Title = ({ id }) => {
  const { path, to } = useGallery();
  const { data } = useResource(path(`people/${id}`));
  return html`History of <a href=${to("person", id)}><bdi>${data?.label ?? id}</bdi></a>`;
};

export const HistoryView = ({ query }) => {
  const { path, can, info } = useGallery();
  const decisions = useDecisions();
  const { items, total, error, isMore, showMore } = useBeginning(path("history"), "decisions", { person: query.person });
  const last = can("decide") && info?.undo ? info.undo.batch : null;
  const isLast = (decision) => decision.batch === last && items.find((each) => each.batch === last) === decision;
  return html`
    <${Heading} note="Undo takes back the last decision; again, the one before.">
      ${query.person ? html`<${Title} id=${query.person} />` : "History"}
    <//>
    ${error && html`<${Failure} error=${error} />`}
    ${total === 0 && html`<${Empty}><p>Nothing was decided yet.</p><//>`}
    <ol class="history">
      ${items.map(
        (decision) => html`<${Decision} key=${decision.id} decision=${decision} isLast=${isLast(decision)} undo=${decisions.undo} />`,
      )}
    </ol>
    ${isMore && html`<p class="after"><button type="button" onClick=${showMore}>Show more</button></p>`}
  `;
};
