// The people of the gallery: search them, order them, name them, merge them.
import { PeopleGrid } from "../components/people_grid.js";
import { SearchField } from "../controls/search_field.js";
import { Empty, Heading, Tabs } from "../controls/states.js";
import { Together } from "../components/together.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { go } from "../router.js";
import { asked, count, number } from "../text.js";

const FILTERS = {
  all: { text: "Everybody", params: { hidden: "false" } },
  named: { text: "Named", params: { hidden: "false", named: true } },
  unnamed: { text: "Unnamed", params: { hidden: "false", named: false } },
  hidden: { text: "Hidden", params: { hidden: "true" } },
};

const ORDERS = { faces: "Most photos first", name: "By name", recent: "Latest decisions first" };

const NothingHere = ({ wanted, show }) => {
  const { info, to } = useGallery();
  if (wanted) return html`<${Empty}><p>Nobody has a name that begins with “<bdi>${wanted}</bdi>”.</p><//>`;
  if (show !== "all" || info?.people) return html`<${Empty}><p>Nobody here.</p><//>`;
  return html`
    <${Empty}>
      <p>${info?.faces ? "Faces were found, and not grouped into people yet." : "No faces yet."}</p>
      <a class="button primary" href=${to("jobs")}>${info?.faces ? "Group the faces" : "Find faces in photos"}</a>
    <//>
  `;
};

const OrderField = ({ order, onOrder }) => html`
  <select aria-label="Order of the people" value=${order} onChange=${(event) => onOrder(event.target.value)}>
    ${Object.entries(ORDERS).map(([key, text]) => html`<option key=${key} value=${key}>${text}</option>`)}
  </select>
`;

const tallies = (info) => ({
  all: info.people,
  named: info.people_named,
  unnamed: info.people - info.people_named,
  hidden: info.people_hidden,
});

export const PeopleView = ({ query }) => {
  const { info, to } = useGallery();
  const show = FILTERS[query.show] ? query.show : "all";
  const order = ORDERS[query.order] ? query.order : "faces";
  const wanted = query.q ?? "";
  const names = asked(wanted);
  const total = info ? tallies(info) : {};
  const place = { show: show === "all" ? null : show, order: order === "faces" ? null : order, q: wanted };
  const change = (changed) => go(to("people", "", { ...place, ...changed }), { replace: true });
  const tabs = Object.entries(FILTERS).map(([key, filter]) => ({
    text: filter.text,
    href: to("people", "", { ...place, show: key === "all" ? null : key }),
    isCurrent: key === show,
    tally: total[key] === undefined ? null : number(total[key]),
  }));
  const isAll = show === "all" && !wanted;
  return html`
    <${Heading} note=${info && `${count(info.faces, "face")} in ${count(info.photos, "photo")}`}>People<//>
    <div class="toolbar">
      <${Tabs} label="Which people" tabs=${tabs} />
      <${OrderField} order=${order} onOrder=${(key) => change({ order: key === "faces" ? null : key })} />
      <${SearchField} label="Find people" placeholder="Anna, or Anna and Ben" value=${wanted} onSearch=${(q) => change({ q })} />
    </div>
    ${info?.outdated && html`<p class="notice">${info.outdated} <a href=${to("jobs")}>Group again</a></p>`}
    ${names.length > 1
      ? html`<${Together} names=${names} />`
      : html`
          <${PeopleGrid}
            params=${{ ...FILTERS[show].params, q: wanted, order: place.order ?? undefined }}
            empty=${html`<${NothingHere} wanted=${wanted} show=${show} />`}
          />
        `}
    ${isAll &&
    info?.faces_of_nobody > 0 &&
    html`<p class="after"><a href=${to("nobody")}>${count(info.faces_of_nobody, "face")} of nobody</a></p>`}
  `;
};
