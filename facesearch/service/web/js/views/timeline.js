// The months that photos were taken in.
import { Empty, Failure, Heading, Loading } from "../controls/states.js";
import { useResource } from "../data/resource.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { count, month } from "../text.js";

/** Months by year, the latest year first: [[year, months]]. */
const byYear = (months) => {
  const years = new Map();
  for (const each of months) {
    const year = each.month.slice(0, 4);
    years.set(year, [...(years.get(year) ?? []), each]);
  }
  return [...years].sort(([one], [other]) => other.localeCompare(one));
};

const MonthTile = ({ entry, most }) => {
  const { to } = useGallery();
  return html`
    <a class="month" href=${to("photos", "", { month: entry.month })}>
      <span>${month(entry.month).split(" ")[0]}</span>
      <progress max=${most} value=${entry.photos} aria-hidden="true" />
      <small class="soft">${count(entry.photos, "photo")}</small>
    </a>
  `;
};

export const TimelineView = () => {
  const { path, to } = useGallery();
  const { data, error } = useResource(path("timeline"));
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Loading} />`;
  const most = Math.max(1, ...data.months.map((each) => each.photos));
  return html`
    <${Heading} note="By the time that cameras noted in the photos.">Timeline<//>
    ${data.months.length === 0 && html`<${Empty}><p>No photo says when it was taken.</p><//>`}
    ${byYear(data.months).map(
      ([year, months]) => html`
        <section class="year" key=${year} aria-labelledby="year-${year}">
          <h2 id="year-${year}">${year}</h2>
          <ul class="months">
            ${months.map((entry) => html`<li key=${entry.month}><${MonthTile} entry=${entry} most=${most} /></li>`)}
          </ul>
        </section>
      `,
    )}
    ${data.undated.photos > 0 && html`<p class="after"><a href=${to("photos", "", { month: "undated" })}>${count(data.undated.photos, "photo")} without a time</a></p>`}
  `;
};
