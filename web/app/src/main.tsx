import "@conclave/ui/tokens.css";
import "@conclave/ui/base.css";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { browserEngine } from "./browserEngine";
import { activate } from "./i18n/catalogues";
import { applyTheme, effectiveLanguage } from "./preferences";

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no root");

applyTheme();
await activate(effectiveLanguage());
createRoot(root).render(<App engine={browserEngine} />);
