/* Runs a SavedModel through TensorFlow's C API, as a server does.

   ask FOLDER ROWS INPUTS OUTPUTS [OPERATION WIDTH VALUE...]... [OPERATION INDEX]...

   An input is [ROWS], or [ROWS, WIDTH] where WIDTH is not 0; so many values follow. Prints a line for each row of each
   output, numbers with a space between. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

enum { MOST = 8 };

static void check(TF_Status* status) {
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s\n", TF_Message(status));
    exit(1);
  }
}

static void set(TF_Tensor* tensor, int64_t at, const char* value) {
  void* data = TF_TensorData(tensor);
  switch (TF_TensorType(tensor)) {
    case TF_STRING:
      TF_StringInit((TF_TString*)data + at);
      TF_StringCopy((TF_TString*)data + at, value, strlen(value));
      break;
    case TF_INT32: ((int32_t*)data)[at] = atoi(value); break;
    case TF_INT64: ((int64_t*)data)[at] = atoll(value); break;
    case TF_FLOAT: ((float*)data)[at] = atof(value); break;
    default: exit(2);
  }
}

static void print(const TF_Tensor* tensor, int64_t at) {
  const void* data = TF_TensorData(tensor);
  const TF_TString* text = (const TF_TString*)data + at;
  switch (TF_TensorType(tensor)) {
    case TF_STRING: printf("%.*s", (int)TF_StringGetSize(text), TF_StringGetDataPointer(text)); break;
    case TF_INT32: printf("%" PRId32, ((const int32_t*)data)[at]); break;
    case TF_FLOAT: printf("%.6f", ((const float*)data)[at]); break;
    default: exit(2);
  }
}

int main(int argc, char** argv) {
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  const char* tags[] = {"serve"};
  TF_Session* session =
      TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), NULL, argv[1], tags, 1, graph, NULL, status);
  check(status);

  int64_t rows = atoi(argv[2]);
  int inputs = atoi(argv[3]), outputs = atoi(argv[4]);
  TF_Output from[MOST], to[MOST];
  TF_Tensor *given[MOST], *got[MOST];
  char** next = argv + 5;
  for (int i = 0; i < inputs; ++i) {
    from[i] = (TF_Output){TF_GraphOperationByName(graph, *next++), 0};
    int64_t width = atoi(*next++), shape[] = {rows, width}, values = rows * (width ? width : 1);
    TF_DataType type = TF_OperationOutputType(from[i]);
    size_t size = type == TF_STRING ? sizeof(TF_TString) : TF_DataTypeSize(type);
    given[i] = TF_AllocateTensor(type, shape, width ? 2 : 1, values * size);
    for (int64_t at = 0; at < values; ++at) set(given[i], at, *next++);
  }
  for (int i = 0; i < outputs; ++i, next += 2) {
    to[i] = (TF_Output){TF_GraphOperationByName(graph, next[0]), atoi(next[1])};
  }
  TF_SessionRun(session, NULL, from, given, inputs, to, got, outputs, NULL, 0, NULL, status);
  check(status);

  for (int i = 0; i < outputs; ++i) {
    int64_t width = TF_NumDims(got[i]) == 2 ? TF_Dim(got[i], 1) : 1;
    for (int64_t at = 0; at < rows * width; ++at) {
      print(got[i], at);
      putchar((at + 1) % width ? ' ' : '\n');
    }
  }
  return 0;
}
