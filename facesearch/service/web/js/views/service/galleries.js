// The galleries that the service has, where there are several.
import { Heading } from "../../controls/states.js";
import { html } from "../../html.js";
import { link } from "../../router.js";
import { count } from "../../text.js";

export const GalleriesView = ({ galleries }) => html`
  <main class="page" id="main">
    <${Heading}>Galleries<//>
    <ul class="folders">
      ${galleries.map(
        (gallery) => html`
          <li key=${gallery.id}>
            <a class="folder" href=${link(gallery.id)}>
              <span>
                <bdi>${gallery.title}</bdi>
                <small class="soft">${count(gallery.people, "person", "people")}, ${count(gallery.photos, "photo")}</small>
              </span>
            </a>
          </li>
        `,
      )}
    </ul>
  </main>
`;
