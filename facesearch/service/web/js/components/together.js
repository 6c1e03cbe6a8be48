// The photos that several people are in together, asked for by their names.
import { get } from "../api.js";
import { useGallery } from "../gallery.js";
import { html, useEffect, useState } from "../html.js";
import { count, listed } from "../text.js";
import { usePages } from "../data.js";
import { PhotoGrid } from "./photo_grid.js";
import { PersonLink } from "./picture.js";
import { Empty, Failure } from "../controls/states.js";

/** The person that each name means: the one with most photos whose name begins so. */
const usePeople = (names) => {
  const { path } = useGallery();
  const [found, setFound] = useState(null);
  useEffect(() => {
    let isLatest = true;
    const ask = (name) => get(path("people"), { q: name, named: true, hidden: "all", limit: 1 });
    Promise.all(names.map(ask)).then(
      (answers) => isLatest && setFound({ people: answers.map((answer) => answer.people[0] ?? null) }),
      (error) => isLatest && setFound({ error }),
    );
    return () => {
      isLatest = false;
    };
  }, [names.join("\n")]);
  return found;
};

const PhotosOf = ({ people }) => {
  const { path } = useGallery();
  const list = usePages(path("photos"), "photos", {
    people: people.map((person) => person.id).join(),
    order: "-time",
  });
  if (list.error) return html`<${Failure} error=${list.error} />`;
  const names = listed(people.map((person) => person.label));
  return html`
    <ul class="row">${people.map((person) => html`<li key=${person.id}><${PersonLink} person=${person} /></li>`)}</ul>
    <p class="found" role="status">
      ${list.total === 0 && `${names} are in no photo together.`}
      ${list.total > 0 && `${names} are together in ${count(list.total, "photo")}.`}
    </p>
    <${PhotoGrid} label="Photos of ${names}" list=${list} />
  `;
};

export const Together = ({ names }) => {
  const found = usePeople(names);
  if (!found) return null;
  if (found.error) return html`<${Failure} error=${found.error} />`;
  const unknown = names.filter((_, index) => !found.people[index]);
  if (unknown.length) return html`<${Empty}><p>Nobody is called ${listed(unknown)}.</p><//>`;
  return html`<${PhotosOf} people=${found.people} />`;
};
