import { act } from "react";
import { createRoot } from "react-dom/client";
import { expect, test } from "vitest";
import { Button } from "./Button";
import { LocaleProvider } from "./LocaleProvider";
import { Menu, MenuItem, MenuTrigger } from "./Menu";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

test.each([
  ["id-ID", "Tutup"],
  ["de-DE", "Schließen"],
  ["fr-FR", "Rejeter"],
  ["zh-TW", "關閉"],
  ["en-GB", "Dismiss"],
])("in %s, the way out of a menu is called %j", async (locale, word) => {
  const container = document.createElement("div");
  document.body.replaceChildren(container);
  const root = createRoot(container);
  await act(async () =>
    root.render(
      <LocaleProvider locale={locale}>
        <MenuTrigger isOpen>
          <Button>Open</Button>
          <Menu label="Menu">
            <MenuItem id="one" text="One" />
          </Menu>
        </MenuTrigger>
      </LocaleProvider>,
    ),
  );
  expect(document.querySelector(`button[aria-label="${word}"]`)).not.toBeNull();
  await act(async () => root.unmount());
});
