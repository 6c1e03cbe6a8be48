// Photos of a month, of a folder, or of people together.
import { PhotoGrid } from "../components/photo_grid.js";
import { PersonLink } from "../components/picture.js";
import { Icon } from "../controls/icon.js";
import { NameField } from "../controls/name_field.js";
import { Empty, Failure, Heading } from "../controls/states.js";
import { useLongList } from "../data/long_list.js";
import { useResource } from "../data/resource.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { go } from "../router.js";
import { month, number } from "../text.js";

const titleOf = ({ month: wanted, folder }) => {
  if (wanted) return month(wanted) || "Photos without a time";
  return folder || "Photos";
};

const Person = ({ id, onLeaveOut }) => {
  const { path } = useGallery();
  const { data } = useResource(path(`people/${id}`));
  return (
    data &&
    html`
      <li class="one-of">
        <${PersonLink} person=${data} />
        ${onLeaveOut &&
        html`<button type="button" class="round" aria-label="Leave out ${data.label}" onClick=${onLeaveOut}><${Icon} name="close" /></button>`}
      </li>
    `
  );
};

/** Who is on the photos: one more, or one less. */
const PeopleOfPhotos = ({ query }) => {
  const { to } = useGallery();
  const ids = query.people.split(",");
  const show = (people) => go(to("photos", "", { ...query, people: people.join() }), { replace: true });
  const leaveOut = (id) => (ids.length > 1 ? () => show(ids.filter((each) => each !== id)) : null);
  return html`
    <ul class="row">${ids.map((id) => html`<${Person} key=${id} id=${id} onLeaveOut=${leaveOut(id)} />`)}</ul>
    <div class="together-with">
      <${NameField} label="Together with" placeholder="Together with…" except=${ids} onPerson=${(person) => show([...ids, person.id])} />
    </div>
  `;
};

export const PhotosView = ({ query }) => {
  const { path } = useGallery();
  const { month: wanted, folder, people } = query;
  const params = { month: wanted, folder, people, order: folder === undefined ? "time" : "name" };
  const list = useLongList(path("photos"), "photos", params);
  return html`
    <${Heading} tally=${list.total === null ? null : number(list.total)}>${titleOf(query)}<//>
    ${people && html`<${PeopleOfPhotos} query=${query} />`}
    ${list.error && html`<${Failure} error=${list.error} />`}
    ${list.total === 0 && html`<${Empty}><p>${people?.includes(",") ? "They are in no photo together." : "No photos here."}</p><//>`}
    <${PhotoGrid} label=${titleOf(query)} list=${list} params=${params} />
  `;
};
