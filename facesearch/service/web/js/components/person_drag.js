// People are dragged onto each other to merge them.
import { useState } from "../html.js";

const TYPE = "application/x-facesearch-person";

/**
 * Whether another person is held over the element of `person`, and the properties by which it can
 * be dragged and takes others by `onDrop(id)`.
 */
export const usePersonDrag = (person, isAllowed, onDrop) => {
  const [isOver, setOver] = useState(false);
  if (!isAllowed) return [false, {}];
  const isPerson = (event) => event.dataTransfer.types.includes(TYPE);
  return [
    isOver,
    {
      draggable: true,
      onDragStart: (event) => {
        event.dataTransfer.setData(TYPE, person.id);
        event.dataTransfer.effectAllowed = "move";
      },
      onDragOver: (event) => {
        if (!isPerson(event)) return;
        event.preventDefault();
        setOver(true);
      },
      onDragLeave: () => setOver(false),
      onDrop: (event) => {
        if (!isPerson(event)) return;
        event.preventDefault();
        setOver(false);
        const other = event.dataTransfer.getData(TYPE);
        if (other !== person.id) onDrop(other);
      },
    },
  ];
};

