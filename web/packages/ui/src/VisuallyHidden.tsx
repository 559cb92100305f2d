/** What is there for screen readers alone. */
export { VisuallyHidden } from "react-aria-components";
