/* Asks the serving_default signature of a SavedModel through TensorFlow's C API, as a server does.
   ask FOLDER INPUT_OPERATION OUTPUT_OPERATION OUTPUT_INDEX SOURCE...: prints an answer a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

static void check(TF_Status* status) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s\n", TF_Message(status));
    exit(1);
  }
}

int main(int argc, char** argv) {
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  const char* tags[] = {"serve"};
  TF_Session* session =
      TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, argv[1], tags, 1, graph, NULL, status);
  check(status);

  int64_t rows = argc - 5;
  TF_Tensor* sources = TF_AllocateTensor(TF_STRING, &rows, 1, rows * sizeof(TF_TString));
  TF_TString* texts = TF_TensorData(sources);
  for (int64_t row = 0; row < rows; ++row) {
    TF_StringInit(&texts[row]);
    TF_StringCopy(&texts[row], argv[5 + row], strlen(argv[5 + row]));
  }

  TF_Output input = {TF_GraphOperationByName(graph, argv[2]), 0};
  TF_Output output = {TF_GraphOperationByName(graph, argv[3]), atoi(argv[4])};
  TF_Tensor* answers = NULL;
  TF_SessionRun(session, NULL, &input, &sources, 1, &output, &answers, 1, NULL, 0, NULL, status);
  check(status);

  texts = TF_TensorData(answers);
  for (int64_t row = 0; row < rows; ++row) {
    printf("%.*s\n", (int)TF_StringGetSize(&texts[row]), TF_StringGetDataPointer(&texts[row]));
  }
  return 0;
}
