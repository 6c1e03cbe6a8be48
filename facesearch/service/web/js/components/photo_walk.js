// From one photo of a list to the next.
import { useLongList } from "../data/long_list.js";
import { useGallery } from "../gallery.js";
import { html, useEffect } from "../html.js";
import { useKeys } from "../keys.js";
import { go } from "../router.js";
import { Icon } from "../controls/icon.js";

/** What an address says of a photo at `index` of the list of photos with `params`. */
export const placeInList = (params, index) => {
  const given = Object.entries(params).filter(([, value]) => value !== undefined);
  return { of: new URLSearchParams(given).toString(), at: index };
};

const Step = ({ photo, place, name, icon, sign }) => {
  const { to } = useGallery();
  // Its room stays, so that the other one does not move under the pointer.
  if (!photo) return html`<span class="button" aria-hidden="true" style=${{ visibility: "hidden" }}><${Icon} name=${icon} /></span>`;
  return html`<a class="button" href=${to("photo", photo.id, place)} aria-label="${name} photo" title="${name} photo (${sign})"><${Icon} name=${icon} /></a>`;
};

/** Links to the photos before and after `id`, which is at the place of `query`, by placeInList. */
export const PhotoWalk = ({ id, query }) => {
  const { path, to } = useGallery();
  const params = Object.fromEntries(new URLSearchParams(query.of));
  const list = useLongList(path("photos"), "photos", params);
  const at = Number(query.at);
  useEffect(() => {
    if (list.total !== null) list.need(Math.max(0, at - 1), at + 2);
  });
  // The list may have changed since: then nothing is known of what is beside this photo.
  const isHere = list.at(at)?.id === id;
  const [before, after] = isHere ? [list.at(at - 1), list.at(at + 1)] : [];
  const place = (index) => ({ of: query.of, at: index });
  const show = (photo, index) => photo && go(to("photo", photo.id, place(index)));
  useKeys([
    { key: "n", does: "Next photo", run: () => show(after, at + 1) },
    { key: "p", does: "Previous photo", run: () => show(before, at - 1) },
  ]);
  if (!isHere) return null;
  return html`
    <nav class="actions walk" aria-label="Other photos of the list">
      <${Step} photo=${before} place=${place(at - 1)} name="Previous" icon="left" sign="p" />
      <span class="tally">${at + 1} of ${list.total}</span>
      <${Step} photo=${after} place=${place(at + 1)} name="Next" icon="right" sign="n" />
    </nav>
  `;
};
