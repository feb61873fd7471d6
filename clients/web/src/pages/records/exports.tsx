/** A record's statement for other places: what publishes a picture can say it too. */

import type { JSX } from "preact";
import { saveFile } from "../../app/saving";
import { Button, More } from "../../components/parts";
import { useTexts } from "../../i18n";
import { aiprefHeader, cawgAssertion, type Statement } from "../../protocol";

export function Exports(props: {
  readonly name: string;
  /** Of its log entry, for the files' names. */
  readonly index: number;
  readonly statement: Statement;
}): JSX.Element {
  const { records } = useTexts().t;
  const { name, index, statement } = props;
  const header = aiprefHeader(statement);
  const saveAssertion = (): void => {
    const text = `${JSON.stringify(cawgAssertion(statement), null, 1)}\n`;
    saveFile(`cawg-${index}.json`, text, "application/json");
  };
  return (
    <More title={records.exportTitle}>
      <p>{records.exportLead}</p>
      <p class="buttons">
        <Button onClick={saveAssertion} label={`${records.exportCawg}: ${name}`}>
          {records.exportCawg}
        </Button>
        {header !== null && (
          <Button
            onClick={() => saveFile(`aipref-${index}.txt`, `${header}\n`, "text/plain")}
            label={`${records.exportAipref}: ${name}`}
          >
            {records.exportAipref}
          </Button>
        )}
      </p>
    </More>
  );
}
