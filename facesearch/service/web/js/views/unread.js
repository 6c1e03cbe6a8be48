// Files that could not be used, and why.
import { Empty, Failure, Heading } from "../controls/states.js";
import { useBeginning } from "../data/long_list.js";
import { useGallery } from "../gallery.js";
import { html } from "../html.js";
import { number } from "../text.js";

// In the words of the album report.
const REASONS = {
  empty: "The file is empty",
  unreadable: "The file could not be opened",
  "not-an-image": "Not a photo",
  "not-a-video": "Not a video",
  unsupported: "A kind of photo that cannot be read here",
  truncated: "The file ends too early",
  partial: "The file ends early",
  corrupt: "The file is damaged",
  "too-large": "Larger than the limits allow",
  timeout: "Took too long to read",
  internal: "Facesearch itself failed on it",
  missing: "No longer there",
  changed: "Changed since it was indexed",
  "foreign-sidecar": "Has a sidecar file of another program",
};

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
              <td>${REASONS[photo.reason] ?? photo.reason}</td>
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
  const { items, total, error, isMore, showMore } = useBeginning(path("photos"), "photos", { status: "failed", order: "name" });
  return html`
    <${Heading} tally=${total === null ? null : number(total)} note="Files that look like photos and could not be used. Mended ones are read by the next indexing.">
      Not read
    <//>
    ${error && html`<${Failure} error=${error} />`}
    ${total === 0 && html`<${Empty}><p>Every photo could be read.</p><//>`}
    ${items.length > 0 && html`<${Rows} photos=${items} />`}
    ${isMore && html`<p class="after"><button type="button" onClick=${showMore}>Show more</button></p>`}
  `;
};
