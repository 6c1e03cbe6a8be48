// The photos that several people are in together, asked for by their names.
import { get } from "../api.js";
import { useGallery } from "../gallery.js";
import { html, useEffect, useState } from "../html.js";
import { count, listed } from "../text.js";
import { useLongList } from "../data/long_list.js";
import { PhotoGrid } from "./photo_grid.js";
import { PersonLink } from "./picture.js";
import { Empty, Failure } from "../controls/states.js";

const MOST_OTHERS = 5;

/** Those who may be meant by a name: who has exactly that one first, then those in the most photos. */
const meant = (name, people) => {
  const isExact = (person) => person.name.toLocaleLowerCase() === name.toLocaleLowerCase();
  return [...people.filter(isExact), ...people.filter((person) => !isExact(person))];
};

/** Of each name those who may be meant by it. */
const useMeant = (names) => {
  const { path } = useGallery();
  const [found, setFound] = useState(null);
  useEffect(() => {
    let isLatest = true;
    const ask = (name) => get(path("people"), { q: name, named: true, hidden: "all", limit: MOST_OTHERS + 1 });
    Promise.all(names.map(ask)).then(
      (answers) => isLatest && setFound({ people: answers.map((answer, index) => meant(names[index], answer.people)) }),
      (error) => isLatest && setFound({ error }),
    );
    return () => {
      isLatest = false;
    };
  }, [names.join("\n")]);
  return found;
};

/** Where a name may mean several people: the others, each as a link that means that one. */
const Others = ({ names, index, others }) => {
  const { to } = useGallery();
  const query = (person) => names.map((name, place) => (place === index ? person.name : name)).join(" and ");
  return html`
    <p class="soft small">
      Or${" "}
      ${others.map(
        (person, place) => html`${place > 0 && ", "}<a href=${to("people", "", { q: query(person) })}><bdi>${person.name}</bdi></a>`,
      )}?
    </p>
  `;
};

const PhotosOf = ({ people }) => {
  const { path } = useGallery();
  const params = { people: people.map((person) => person.id).join(), order: "-time" };
  const list = useLongList(path("photos"), "photos", params);
  if (list.error) return html`<${Failure} error=${list.error} />`;
  const names = listed(people.map((person) => person.label));
  return html`
    <p class="found" role="status">
      ${list.total === 0 && `${names} are in no photo together.`}
      ${list.total > 0 && `${names} are together in ${count(list.total, "photo")}.`}
    </p>
    <${PhotoGrid} label="Photos of ${names}" list=${list} params=${params} />
  `;
};

export const Together = ({ names }) => {
  const found = useMeant(names);
  if (!found) return null;
  if (found.error) return html`<${Failure} error=${found.error} />`;
  const unknown = names.filter((_, index) => found.people[index]?.length === 0);
  if (unknown.length) return html`<${Empty}><p>Nobody is called ${listed(unknown)}.</p><//>`;
  // While the next names are asked for, these may be more or fewer.
  const shown = found.people.filter((people) => people.length);
  return html`
    <ul class="row">
      ${shown.map(
        ([person, ...others], index) => html`
          <li key=${person.id}>
            <${PersonLink} person=${person} />
            ${others.length > 0 && html`<${Others} names=${names} index=${index} others=${others} />`}
          </li>
        `,
      )}
    </ul>
    <${PhotosOf} people=${shown.map(([person]) => person)} />
  `;
};
