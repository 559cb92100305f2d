import { Button } from "@conclave/ui";
import { Trans, useLingui } from "@lingui/react/macro";
import { House, RotateCw, TriangleAlert } from "lucide-react";
import type { JSX } from "react";
import { MessageView } from "../layout/MessageView";
import { SiteHeader } from "../layout/SiteHeader";
import { navigate } from "../navigation";
import type { Words } from "../problem";

export interface ProblemViewProps {
  readonly words: Words;
  /** What trying again does; absent where it cannot help. */
  readonly onRetry?: (() => void) | undefined;
}

/** Why there is no call, and what to do. */
export function ProblemView({ words, onRetry }: ProblemViewProps): JSX.Element {
  const { t } = useLingui();
  return (
    <MessageView
      header={<SiteHeader />}
      icon={<TriangleAlert size={30} aria-hidden />}
      tone="wrong"
      title={t(words.what)}
      actions={
        <>
          {onRetry === undefined ? null : (
            <Button
              variant="primary"
              size="large"
              icon={<RotateCw size={20} aria-hidden />}
              onPress={onRetry}
            >
              {t`Try again`}
            </Button>
          )}
          <HomeButton />
        </>
      }
    >
      {t(words.todo)}
    </MessageView>
  );
}

/** Leads to the home page. */
export function HomeButton(): JSX.Element {
  return (
    <Button
      variant="outline"
      size="large"
      icon={<House size={20} aria-hidden />}
      onPress={() => navigate("/")}
    >
      <Trans>Home page</Trans>
    </Button>
  );
}
