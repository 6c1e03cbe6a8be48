// Photos of a month, of a folder, or of people.
import { PhotoGrid } from "../components/photo_grid.js";
import { PersonLink } from "../components/picture.js";
import { Empty, Failure, Heading } from "../controls/states.js";
import { usePages, useResource } from "../data.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { month, number } from "../text.js";

const titleOf = ({ month: wanted, folder }) => {
  if (wanted) return month(wanted) || "Photos without a time";
  return folder || "Photos";
};

const Person = ({ id }) => {
  const { path } = useGallery();
  const { data } = useResource(path(`people/${id}`));
  return data && html`<li><${PersonLink} person=${data} /></li>`;
};

export const PhotosView = ({ query }) => {
  const { path } = useGallery();
  const { month: wanted, folder, people } = query;
  const list = usePages(path("photos"), "photos", {
    month: wanted,
    folder,
    people,
    order: folder === undefined ? "time" : "name",
  });
  return html`
    <${Heading} tally=${list.total === null ? null : number(list.total)}>${titleOf(query)}<//>
    ${people && html`<ul class="row">${people.split(",").map((id) => html`<${Person} key=${id} id=${id} />`)}</ul>`}
    ${list.error && html`<${Failure} error=${list.error} />`}
    ${list.total === 0 && html`<${Empty}><p>No photos here.</p><//>`}
    <${PhotoGrid} label=${titleOf(query)} list=${list} />
  `;
};
