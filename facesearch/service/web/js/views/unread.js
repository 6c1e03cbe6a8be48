// Files that could not be used, and why.
import { Empty, Failure, Heading } from "../controls/states.js";
import { usePages } from "../data.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { number } from "../text.js";

const Rows = ({ photos }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label="Files that were not read">
    <table>
      <thead>
        <tr><th scope="col">File</th><th scope="col">What happened</th><th scope="col">Detail</th></tr>
      </thead>
      <tbody>
        ${photos.map(
          (photo) => html`
            <tr key=${photo.name}>
              <th scope="row"><bdi>${photo.name}</bdi></th>
              <td>${photo.reason}</td>
              <td class="soft">${photo.detail}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  </div>
`;

export const UnreadView = () => {
  const { path } = useGallery();
  const list = usePages(path("photos"), "photos", { status: "failed", order: "name" });
  return html`
    <${Heading} tally=${list.total === null ? null : number(list.total)} note="Files that look like photos and could not be used. Mended ones are read by the next indexing.">
      Not read
    <//>
    ${list.error && html`<${Failure} error=${list.error} />`}
    ${list.total === 0 && html`<${Empty}><p>Every photo could be read.</p><//>`}
    ${list.items.length > 0 && html`<${Rows} photos=${list.items} />`}
    ${list.isMore && html`<p class="after"><button type="button" onClick=${() => list.need(list.items.length)}>Show more</button></p>`}
  `;
};
